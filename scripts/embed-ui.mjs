/*
 * embed-ui.mjs - bundles the page and writes it as one C file with its bytes beside it.
 *
 *   node scripts/embed-ui.mjs OUT.c OUT.bin OUT.d VERSION
 *
 * OUT.bin holds the gzip'ed files one after the other; OUT.c includes it with
 * .incbin and lists where each begins; OUT.d tells ninja what to watch.
 */
import { createHash } from 'node:crypto';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { extname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { buildPage } from '../ui/build.mjs';

const BUDGET_BYTES = 80 * 1024;
const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.webmanifest': 'application/manifest+json',
};

async function filesBelow(folder) {
  const found = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) found.push(...(await filesBelow(path)));
    else found.push(path);
  }
  return found;
}

async function readAssets(folder) {
  const assets = [];
  for (const file of await filesBelow(folder)) {
    const type = TYPES[extname(file)];
    if (!type) throw new Error(`${file}: no content type for ${extname(file)}; add it to embed-ui.mjs`);
    const raw = await readFile(file);
    const path = `/${relative(folder, file)}`;
    const etag = createHash('sha256').update(raw).digest('hex').slice(0, 16);
    assets.push({ path, type, etag, body: gzipSync(raw, { level: 9 }), isImmutable: path.startsWith('/assets/') });
  }
  return assets.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/* The digest makes this file change whenever the bytes do, so that it is compiled again. */
function source(assets, bin, digest) {
  let offset = 0;
  const rows = assets.map((asset) => {
    const row =
      `\t{ "${asset.path}", "${asset.type}", ui_bytes + ${offset}, ${asset.body.length}, true, ` +
      `${asset.isImmutable}, "\\"${asset.etag}\\"" },`;
    offset += asset.body.length;
    return row;
  });
  return [
    '/* Made by scripts/embed-ui.mjs; do not edit. */',
    `/* sha256 of the bytes: ${digest} */`,
    '#include "http_api/ui_assets.h"',
    '',
    '__asm__(".pushsection .rodata\\n"',
    '\t".balign 16\\n"',
    '\t".local ui_bytes\\n"',
    '\t"ui_bytes:\\n"',
    `\t".incbin \\"${bin}\\"\\n"`,
    '\t".popsection\\n");',
    'extern const unsigned char ui_bytes[];',
    '',
    'const struct http_asset ui_assets[] = {',
    ...rows,
    '};',
    `const size_t ui_assets_count = ${assets.length};`,
    '',
  ].join('\n');
}

export async function embed(outC, outBin, outD, version) {
  const folder = `${outBin}.dir`;
  const inputs = await buildPage(folder, version);
  const assets = await readAssets(folder);
  await rm(folder, { recursive: true });
  const bytes = Buffer.concat(assets.map((asset) => asset.body));
  if (bytes.length > BUDGET_BYTES) {
    throw new Error(`the page is ${bytes.length} bytes gzip'ed; its budget is ${BUDGET_BYTES}`);
  }
  await writeFile(outBin, bytes);
  const digest = createHash('sha256').update(bytes).digest('hex');
  await writeFile(outC, source(assets, resolve(outBin), digest));
  const watched = [...inputs, fileURLToPath(import.meta.url)].map((path) => path.replace(/[ #$]/g, '\\$&'));
  await writeFile(outD, `${relative(process.cwd(), outC)}: ${watched.join(' ')}\n`);
  return assets;
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const [outC, outBin, outD, version] = process.argv.slice(2);
  if (!version) {
    console.error('usage: embed-ui.mjs OUT.c OUT.bin OUT.d VERSION');
    process.exit(2);
  }
  await embed(outC, outBin, outD, version);
}

/*
 * build.mjs - bundles the page with esbuild.
 *
 *   node build.mjs [--outdir DIR]   index.html, assets with their hash in the name, icons; into dist/ if not told
 *
 * Runs on Node.js 18. Used as a module by scripts/embed-ui.mjs.
 */
import { build } from 'esbuild';
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const TARGET = ['chrome123', 'firefox121', 'safari17.5'];

/* Bundles into outdir; resolves to the paths of all files that went in (for the build system). */
export async function buildPage(folder, version) {
  const outdir = resolve(folder);
  await rm(outdir, { recursive: true, force: true });
  await mkdir(outdir, { recursive: true });
  const result = await build({
    absWorkingDir: here,
    entryPoints: { app: 'src/main.tsx', style: 'src/style/main.css' },
    outdir: join(outdir, 'assets'),
    entryNames: '[name]-[hash]',
    chunkNames: '[name]-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    minify: true,
    target: TARGET,
    jsx: 'automatic',
    jsxImportSource: 'preact',
    legalComments: 'none',
    define: { CHELA_VERSION: JSON.stringify(version) },
    metafile: true,
    logLevel: 'warning',
  });
  const made = Object.entries(result.metafile.outputs);
  const assetOf = (entry) => `assets/${basename(made.find(([, output]) => output.entryPoint === entry)[0])}`;
  const template = await readFile(join(here, 'src/index.html'), 'utf8');
  const page = template.replace('{{js}}', assetOf('src/main.tsx')).replace('{{css}}', assetOf('src/style/main.css'));
  await writeFile(join(outdir, 'index.html'), page);
  await cp(join(here, 'public'), outdir, { recursive: true });
  const icons = (await readdir(join(here, 'public'))).map((name) => join('public', name));
  const inputs = [...Object.keys(result.metafile.inputs), ...icons, 'src/index.html', 'build.mjs', 'package-lock.json'];
  return inputs.map((path) => resolve(here, path));
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const at = process.argv.indexOf('--outdir');
  const { version } = JSON.parse(await readFile(join(here, 'package.json'), 'utf8'));
  await buildPage(at > 0 ? process.argv[at + 1] : join(here, 'dist'), version);
}

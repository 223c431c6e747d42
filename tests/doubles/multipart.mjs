/* multipart.mjs - multipart/form-data (RFC 7578) taken apart: [{name, filename?, type?, bytes}]; throws on what is malformed. */

const attribute = (head, name) => new RegExp(`;\\s*${name}="([^"]*)"|;\\s*${name}=([^;\\s]+)`, 'i').exec(head)?.slice(1).find((x) => x !== undefined);
const decode = (s) => s?.replaceAll('%22', '"').replaceAll('%0D', '\r').replaceAll('%0A', '\n');

export function parseMultipart(body, contentType) {
	const boundary = attribute(contentType, 'boundary');

	if (!boundary)
		throw new Error('multipart without a boundary');
	const mark = Buffer.from(`--${boundary}`);
	const parts = [];

	for (let at = body.indexOf(mark); ;) {
		if (at < 0)
			throw new Error('multipart without an end');
		at += mark.length;
		if (body.subarray(at, at + 2).toString() === '--')
			return parts;
		const headEnd = body.indexOf('\r\n\r\n', at), next = body.indexOf(Buffer.concat([Buffer.from('\r\n'), mark]), headEnd + 2);

		if (body.subarray(at, at + 2).toString() !== '\r\n' || headEnd < 0 || next < 0)
			throw new Error('a malformed part');
		const heads = body.subarray(at + 2, headEnd).toString('utf8').split('\r\n');
		const disposition = heads.find((h) => /^content-disposition:\s*form-data/i.test(h)) ?? '';
		const name = decode(attribute(disposition, 'name'));

		if (name === undefined)
			throw new Error('a part without a name');
		parts.push({ name, filename: decode(attribute(disposition, 'filename')),
			type: heads.find((h) => /^content-type:/i.test(h))?.replace(/^content-type:\s*/i, ''), bytes: body.subarray(headEnd + 4, next) });
		at = next + 2;
	}
}

/* body.mjs - the body of a request; null when whoever sent it was gone (killed, say) before the end of it. */

export async function bodyOf(req) {
	const parts = [];

	try {
		for await (const part of req)
			parts.push(part);
	} catch (e) {
		if (e.code === 'ECONNRESET')
			return null;
		throw e;
	}
	return Buffer.concat(parts);
}

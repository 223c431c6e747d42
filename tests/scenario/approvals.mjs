/* approvals.mjs - frames about an approval, without what differs from run to run; approvals.jsonl has the reference's. */
import { readFileSync } from 'node:fs';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/* strip: [[what, its name]…]; the longest first. */
export function plain(v, strip) {
	if (typeof v === 'number')
		return v > 1e12 ? '<time>' : v;
	if (typeof v === 'string') {
		const text = strip.reduce((s, [what, name]) => s.replaceAll(what, name), v);

		return UUID.test(text) ? '<uuid>' : text.replace(/[0-9a-f]{8}-[0-9a-f-]{27}/, '<uuid>').replace(/^[0-9a-f]{64}$/, '<device>')
			.replace(/^call_\d+$/, '<call>');
	}
	if (Array.isArray(v))
		return v.map((item) => plain(item, strip));
	if (v && typeof v === 'object')
		return Object.fromEntries(Object.entries(v).sort(([a], [b]) => a < b ? -1 : 1).map(([k, item]) => [k, plain(item, strip)]));
	return v;
}

/* What of a client's frames is about approvals: {event, payload} in order. */
export function approvalEvents(frames) {
	return frames.filter((f) => f.type === 'event').flatMap((f) => {
		if (f.event.includes('approval'))
			return [{ event: f.event, payload: f.payload }];
		return f.event === 'agent' && f.payload.stream === 'lifecycle' && f.payload.data.phase.includes('approval')
			? [{ event: 'agent lifecycle', payload: f.payload.data }] : [];
	});
}

export function recorded(file) {
	return readFileSync(file, 'utf8').trim().split('\n').slice(1).map((l) => JSON.parse(l));
}

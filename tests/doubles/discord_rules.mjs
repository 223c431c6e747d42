/*
 * discord_rules.mjs - what Discord refuses in the body of a message, as discord.com/developers/docs and discord-api-types say it.
 *
 * Errors are of the published form: {code: 50035, message, errors: {content: {_errors: [{code, message}]}}}.
 */
import { require } from '../e2e/lib/peers.mjs';

const { ButtonStyle, ComponentType, MessageFlags, RESTJSONErrorCodes } = require('discord-api-types/v10');

export { RESTJSONErrorCodes as Code };

export class Refusal extends Error {
	constructor(status, code, message, errors) {
		super(message);
		this.status = status;
		this.body = { message, code, ...(errors && { errors }) };
	}
}
export const refuse = (status, code, message, errors) => {
	throw new Refusal(status, code, message, errors);
};

/* {"components.0.label": [code, message]} as the tree that Discord answers. */
export function invalidForm(found) {
	const errors = {};

	for (const [path, [code, message]] of Object.entries(found)) {
		let at = errors;

		for (const part of path.split('.'))
			at = at[part] ??= {};
		at._errors = [{ code, message }];
	}
	refuse(400, RESTJSONErrorCodes.InvalidFormBodyOrContentType, 'Invalid Form Body', errors);
}

const tooLong = (max) => ['BASE_TYPE_MAX_LENGTH', `Must be ${max} or fewer in length.`];
const badLength = (min, max) => ['BASE_TYPE_BAD_LENGTH', `Must be between ${min} and ${max} in length.`];
const required = ['BASE_TYPE_REQUIRED', 'This field is required'];
const chosen = (values) => ['BASE_TYPE_CHOICES', `Value must be one of (${values.join(', ')}).`];
const snowflake = ['NUMBER_TYPE_COERCE', 'Value is not snowflake.'];
export const isSnowflake = (v) => typeof v === 'string' && /^\d{15,20}$/.test(v);

function checkButton(found, at, b, ids) {
	const link = b.style === ButtonStyle.Link;

	if (![1, 2, 3, 4, 5].includes(b.style))
		found[`${at}.style`] = chosen([1, 2, 3, 4, 5]);
	if (typeof b.label !== 'string' && !b.emoji)
		found[`${at}.label`] = required;
	else if (b.label?.length > 80 || b.label?.length === 0)
		found[`${at}.label`] = badLength(1, 80);
	if (link) {
		if (!/^(https?|discord):\/\//.test(b.url ?? ''))
			found[`${at}.url`] = ['URL_TYPE_INVALID_SCHEME', 'Scheme must be one of (http, https, discord).'];
		if (b.custom_id !== undefined)
			found[`${at}.custom_id`] = ['BUTTON_COMPONENT_CUSTOM_ID_AND_URL', 'A custom id and url cannot both be specified'];
		return;
	}
	if (typeof b.custom_id !== 'string' || !b.custom_id)
		found[`${at}.custom_id`] = required;
	else if (b.custom_id.length > 100)
		found[`${at}.custom_id`] = tooLong(100);
	else if (ids.has(b.custom_id))
		found[`${at}.custom_id`] = ['COMPONENT_CUSTOM_ID_DUPLICATED', 'Component custom id cannot be duplicated'];
	ids.add(b.custom_id);
}

function checkComponents(found, rows) {
	const ids = new Set();

	if (!Array.isArray(rows) || rows.length > 5) {
		found.components = badLength(0, 5);
		return;
	}
	rows.forEach((row, i) => {
		if (row.type !== ComponentType.ActionRow)
			found[`components.${i}.type`] = chosen([1]);
		else if (!Array.isArray(row.components) || row.components.length < 1 || row.components.length > 5)
			found[`components.${i}.components`] = badLength(1, 5);
		else
			row.components.forEach((c, k) => {
				if (c.type === ComponentType.Button)
					checkButton(found, `components.${i}.components.${k}`, c, ids);
				else
					found[`components.${i}.components.${k}.type`] = chosen([2]);
			});
	});
}

function checkPoll(found, p) {
	const text = p.question?.text;

	if (typeof text !== 'string' || text.length < 1 || text.length > 300)
		found['poll.question.text'] = badLength(1, 300);
	if (!Array.isArray(p.answers) || p.answers.length < 1 || p.answers.length > 10)
		found['poll.answers'] = badLength(1, 10);
	else
		p.answers.forEach((x, i) => {
			if (typeof x.poll_media?.text !== 'string' || x.poll_media.text.length < 1 || x.poll_media.text.length > 55)
				found[`poll.answers.${i}.poll_media.text`] = badLength(1, 55);
		});
	if (p.duration !== undefined && !(Number.isInteger(p.duration) && p.duration >= 1 && p.duration <= 768))
		found['poll.duration'] = ['NUMBER_TYPE_MAX', 'int value should be less than or equal to 768.'];
}

function checkMentions(found, m) {
	const kinds = ['roles', 'users', 'everyone'];

	for (const p of m.parse ?? [])
		if (!kinds.includes(p))
			found['allowed_mentions.parse'] = chosen(kinds);
	if (m.users && (m.users.length > 100 || !m.users.every(isSnowflake) || m.parse?.includes('users')))
		found['allowed_mentions.users'] = ['MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE', 'parse:["users"] and users: [ids...] are mutually exclusive.'];
}

const KNOWN = ['content', 'nonce', 'tts', 'embeds', 'allowed_mentions', 'message_reference', 'components', 'sticker_ids', 'attachments',
	'flags', 'enforce_nonce', 'poll', 'username', 'avatar_url', 'thread_name'];
const FLAGS = MessageFlags.SuppressEmbeds | MessageFlags.SuppressNotifications | MessageFlags.Ephemeral | MessageFlags.IsVoiceMessage;

/* files: how many came beside it. isEdit: nothing has to be there. */
export function checkMessage(body, { files = 0, isEdit = false } = {}) {
	const found = {};

	if (body === null || typeof body !== 'object')
		refuse(400, 50109, 'The request body contains invalid JSON.');
	for (const key of Object.keys(body))
		if (!KNOWN.includes(key))
			throw new Error(`a key that Discord does not know: ${key}`);
	if (body.content !== undefined && body.content !== null && typeof body.content !== 'string')
		found.content = ['STRING_TYPE_CONVERT', 'Could not interpret value as string.'];
	else if ([...(body.content ?? '')].length > 2000)
		found.content = tooLong(2000);
	if (body.nonce !== undefined && String(body.nonce).length > 25)
		found.nonce = tooLong(25);
	if (body.flags !== undefined && (!Number.isInteger(body.flags) || body.flags & ~FLAGS))
		found.flags = ['BITFIELD_INVALID', 'Invalid flags'];
	if (body.message_reference && !isSnowflake(body.message_reference.message_id))
		found['message_reference.message_id'] = snowflake;
	if (body.components)
		checkComponents(found, body.components);
	if (body.poll)
		checkPoll(found, body.poll);
	if (body.allowed_mentions)
		checkMentions(found, body.allowed_mentions);
	if (body.attachments?.some((x) => Number(x.id) >= files && !isSnowflake(x.id)))
		found.attachments = ['ATTACHMENT_NOT_FOUND', 'Attachment data not found'];
	if (files > 10)
		found.files = badLength(0, 10);
	if (Object.keys(found).length)
		invalidForm(found);
	if (!isEdit && !body.content?.trim() && !files && !body.poll && !body.components?.length && !body.embeds?.length)
		refuse(400, RESTJSONErrorCodes.CannotSendAnEmptyMessage, 'Cannot send an empty message');
}

const NAME = /^[-_'\p{L}\p{N}\p{sc=Deva}\p{sc=Thai}]{1,32}$/u;

export function checkCommands(list) {
	const found = {}, names = new Set();

	if (!Array.isArray(list) || list.length > 100)
		invalidForm({ commands: badLength(0, 100) });
	list.forEach((c, i) => {
		if (typeof c.name !== 'string' || !NAME.test(c.name) || c.name !== c.name.toLowerCase())
			found[`${i}.name`] = ['APPLICATION_COMMAND_INVALID_NAME', 'Command name is invalid'];
		if (names.has(c.name))
			found[`${i}.name`] = ['APPLICATION_COMMANDS_DUPLICATE_NAME', 'Application command names must be unique'];
		names.add(c.name);
		if (typeof c.description !== 'string' || c.description.length < 1 || c.description.length > 100)
			found[`${i}.description`] = badLength(1, 100);
		for (const [k, o] of (c.options ?? []).entries())
			if (!NAME.test(o.name ?? '') || !(o.description?.length >= 1 && o.description.length <= 100))
				found[`${i}.options.${k}.name`] = ['APPLICATION_COMMAND_INVALID_NAME', 'Command name is invalid'];
	});
	if (Object.keys(found).length)
		invalidForm(found);
}

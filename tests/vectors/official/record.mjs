// Records requests that official JavaScript libraries signed: writes the files of this directory that `FILES` names.
//
//     node .../official/record.mjs /tmp/libraries      (installed as crosscheck.mjs says; the same octets on every run)
//
// Each request has two altered copies: of the body and of the signature. A library that can verify, too, is asked
// about all of them before anything is written. `standard-webhooks*.json` and `svix*.json` are of an earlier recording.

import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { AdyenHmac, Orb, WorkOS, accepts, adapters, inside, octokit, require, setFile, stripe, twilio, version } from './libraries.mjs';

const here = path.dirname(new URL(import.meta.url).pathname);
const NOW = 1767225600;
const NOTE = '\u00e9v\u00e9nement \u65e5\u672c\u8a9e \u{1f3ab} e\u0301';
const secretOf = (name) => `hookbridge-test-${createHash('sha256').update(`official ${name}`).digest('hex').slice(0, 32)}`;
const url = (name) => `https://hooks.example.com/webhooks/${name}`;
const json = ['content-type', 'application/json'];
const bodies = (event) => ({ plain: JSON.stringify(event), 'unicode-and-crlf': JSON.stringify({ ...event, note: NOTE }, null, 2).replace(/\n/g, '\r\n') });

// preset: library, the event, `sign`: (secret, body) -> headers, the last of them the signature's.
const FILES = {
  stripe: {
    library: 'stripe', event: { id: 'evt_1', object: 'event', type: 'invoice.paid', data: { object: {} } }, names: { message_id: 'evt_1', event_type: 'invoice.paid' },
    sign: (secret, payload) => [['Stripe-Signature', stripe.webhooks.generateTestHeaderString({ payload, secret, timestamp: NOW })]],
  },
  github: {
    library: '@octokit/webhooks-methods', event: { ref: 'refs/heads/main', after: '0' }, names: { message_id: '6b0e1f9a-0000-4000-8000-000000000001', event_type: 'push' },
    sign: async (secret, body) => [['X-GitHub-Event', 'push'], ['X-GitHub-Delivery', '6b0e1f9a-0000-4000-8000-000000000001'], ['X-Hub-Signature-256', await octokit.sign(secret, body)]],
  },
  hubspot: {
    library: '@hubspot/api-client', event: { eventId: 100, subscriptionType: 'contact.creation' }, source: true,
    sign: (clientSecret, requestBody) => {
      const timestamp = NOW * 1000;
      const signature = require('@hubspot/api-client').Signature.getSignature('POST', 'v3', { clientSecret, requestBody, url: url('hubspot'), timestamp });
      return [['X-HubSpot-Request-Timestamp', String(timestamp)], ['X-HubSpot-Signature-v3', signature]];
    },
  },
  sanity: {
    library: '@sanity/webhook', event: { _id: 'doc1', _type: 'post' },
    sign: async (secret, body) => [['sanity-webhook-signature', await require('@sanity/webhook').encodeSignatureHeader(body, NOW * 1000, secret)]],
  },
  orb: {
    library: 'orb-billing', event: { id: 'evt_orb_1', type: 'invoice.issued' }, names: { message_id: 'evt_orb_1', event_type: 'invoice.issued' },
    sign: (secret, body) => {
      const timestamp = '2026-01-01T00:00:00.551';
      return [['X-Orb-Timestamp', timestamp], ['X-Orb-Signature', new Orb({ apiKey: 'k' }).webhooks.signPayload(body, { timestamp, secret })]];
    },
  },
  'coinbase-commerce': {
    library: 'coinbase-commerce-node', event: { id: 'delivery-1', event: { id: 'evt_cc_1', type: 'charge:created', data: {} } }, names: { message_id: 'evt_cc_1', event_type: 'charge:created' },
    sign: (secret, body) => [['X-CC-Webhook-Signature', inside('coinbase-commerce-node/lib/Webhook.js').computeSignature(body, secret)]],
  },
  // These two sign what they have parsed and written anew, so they are given a body that comes out as it was.
  workos: {
    library: '@workos-inc/node', event: { id: 'event_1', event: 'dsync.user.created', data: {}, note: NOTE }, names: { message_id: 'event_1', event_type: 'dsync.user.created' }, only: ['plain'],
    sign: async (secret, body) => [['WorkOS-Signature', `t=${NOW * 1000}, v1=${await new WorkOS('sk').webhooks.computeSignature(NOW * 1000, JSON.parse(body), secret)}`]],
  },
  smartcar: {
    library: 'smartcar', event: { version: '2.0', webhookId: 'w1', eventName: 'schedule', note: NOTE }, only: ['plain'],
    sign: (secret, body) => [['SC-Signature', require('smartcar').hashChallenge(secret, body)]],
  },
};

function encoded(name, signedBy, secret, headers, body, verdict, names, query) {
  return {
    name, signed_by: signedBy, secrets: [secret], headers, ...(query ? { query } : {}), body_base64: Buffer.from(body).toString('base64'), verdict,
    ...(verdict === 'accept' ? { ...names, key_index: 0 } : {}),
  };
}

/** The same value with another digit or letter at the `at`-th place from its end. */
function spoilt(value, at = 6) {
  const place = value.length - at;
  return value.slice(0, place) + (value[place] === '0' ? '1' : '0') + value.slice(place + 1);
}

function copies(name, signedBy, secret, headers, body, names, query) {
  const bad = headers.map(([n, v], i) => [n, i === headers.length - 1 ? spoilt(v) : v]);
  return [
    encoded(name, signedBy, secret, headers, body, 'accept', names, query),
    encoded(`${name}-body-altered`, signedBy, secret, headers, body.replace(/[a-z]/, (c) => (c === 'z' ? 'y' : 'z')), 'signature_mismatch', names, query),
    encoded(`${name}-signature-altered`, signedBy, secret, bad, body, 'signature_mismatch', names, query),
  ];
}

async function plainFile(name, { library, event, names, sign, source, only }) {
  const signedBy = `${library} ${version(library)} (npm)`;
  const cases = [];
  for (const [label, body] of Object.entries(bodies(event))) {
    if (only && !only.includes(label)) continue;
    const headers = [json, ...(await sign(secretOf(name), body))];
    cases.push(...copies(label, signedBy, secretOf(name), headers, body, names));
  }
  return { provider: name, now: NOW, ...(source ? { source: { public_url: url(name) } } : {}), cases };
}

function twilioFile() {
  const signedBy = `twilio ${version('twilio')} (npm)`;
  const secret = secretOf('twilio');
  const base = url('twilio');
  const cases = [];
  const form = ['content-type', 'application/x-www-form-urlencoded'];
  for (const [label, fields] of Object.entries({
    form: { To: '+15551230001', From: '+15551230002', Body: 'hello', MessageSid: 'SM1' },
    'form-unicode-and-reserved': { Body: `${NOTE} a&b=c+d%20`, MessageSid: 'SM1', mediaUrl: '' },
    'form-repeated-name': { Tag: ['b', 'a', 'b'], MessageSid: 'SM1' },
  })) {
    const pairs = Object.entries(fields).flatMap(([n, v]) => [].concat(v).map((one) => [n, one]));
    const signature = twilio.getExpectedTwilioSignature(secret, base, fields);
    cases.push(...copies(label, signedBy, secret, [form, ['X-Twilio-Signature', signature]], new URLSearchParams(pairs).toString(), { message_id: 'SM1' }));
  }
  const body = JSON.stringify({ note: NOTE });
  const query = `bodySHA256=${inside('twilio/lib/webhooks/webhooks.js').getExpectedBodyHash(body)}`;
  const signature = twilio.getExpectedTwilioSignature(secret, `${base}?${query}`, {});
  const [good, , badSignature] = copies('json', signedBy, secret, [json, ['X-Twilio-Signature', signature]], body, {}, query);
  const badBody = encoded('json-body-altered', signedBy, secret, good.headers, body.replace('note', 'mote'), 'refused', {}, query);
  return { provider: 'twilio', now: NOW, source: { public_url: base }, cases: [...cases, good, badBody, badSignature] };
}

function adyenFile() {
  const signedBy = `@adyen/api-library ${version('@adyen/api-library')} (npm)`;
  const key = createHash('sha256').update('official adyen').digest('hex').toUpperCase();
  const item = {
    additionalData: {}, amount: { currency: 'EUR', value: 4200 }, eventCode: 'AUTHORISATION', eventDate: '2026-01-01T00:00:00+00:00', merchantAccountCode: 'TestMerchant',
    merchantReference: `order-1 ${NOTE}`, originalReference: '', pspReference: '7914073381342284', reason: '', success: 'true',
  };
  const signature = new AdyenHmac().calculateHmac(item, key);
  const written = (changed, hmacSignature = signature) => JSON.stringify({ live: 'false', notificationItems: [{ NotificationRequestItem: { ...item, ...changed, additionalData: { hmacSignature } } }] });
  const one = (name, body, verdict) => encoded(name, signedBy, key, [json], body, verdict, { event_type: 'AUTHORISATION' });
  return { provider: 'adyen', now: NOW, cases: [
    one('plain', written({}), 'accept'),
    one('amount-altered', written({ amount: { currency: 'EUR', value: 4201 } }), 'signature_mismatch'),
    one('signature-altered', written({}, spoilt(signature)), 'signature_mismatch'),
  ] };
}

const documents = [twilioFile(), adyenFile()];
for (const [name, how] of Object.entries(FILES)) documents.push(await plainFile(name, how));
for (const document of documents) {
  setFile(document);
  for (const one of document.cases) {
    for (const [library, adapter] of Object.entries(adapters[document.provider])) {
      const accepted = await accepts(adapter, document, one);
      if (accepted !== (one.verdict === 'accept')) throw new Error(`${document.provider}: ${one.name}: ${library} says ${accepted}`);
    }
  }
  writeFileSync(path.join(here, `${document.provider}.json`), `${JSON.stringify(document, null, 2)}\n`);
  console.log(`${document.provider}.json: ${document.cases.length} cases`);
}

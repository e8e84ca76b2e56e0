// The official JavaScript libraries, each behind one function that tells whether it accepts a request.
//
// Gives `adapters`: preset -> library and function -> adapter. An adapter takes one secret (or key), the headers by
// lower-case name, the body as text, and what else the case has; it gives true, or throws, or gives false. `accepts`
// asks one with every secret of a case in turn. The clock of the process is what `setFile` sets; fetched keys come from
// the file. The folder with node_modules is the first argument of the process.

import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const folder = path.resolve(process.argv[2] ?? '.');
export const require = createRequire(path.join(folder, 'any.js'));
const load = async (name) => import(pathToFileURL(path.join(folder, 'node_modules', name)).href);
export const inside = (name) => require(path.join(folder, 'node_modules', name));

let now = 1767225600000;
const RealDate = Date;
globalThis.Date = class extends RealDate {
  constructor(...args) { super(...(args.length ? args : [now])); }
  static now() { return now; }
};

// Fetched keys come from the file, by URL or by key id.
let fetched = {};

export function setFile(document) {
  now = document.now * 1000;
  fetched = document.fetched_keys ?? {};
}

export function version(name) {
  return JSON.parse(readFileSync(path.join(folder, 'node_modules', name, 'package.json'), 'utf8')).version;
}

const https = require('node:https');
https.get = (url, callback) => {
  const pem = fetched[url];
  callback({
    statusCode: pem ? 200 : 404,
    on(event, listener) { if (event === 'data' && pem) listener(pem); if (event === 'end') listener(); return this; },
  });
  return { on() {} };
};
const ebayClient = inside('event-notification-nodejs-sdk/lib/client.js');
ebayClient.getPublicKey = async (kid) => ({ key: fetched[kid].replace(/\n/g, '') });

export const stripe = require('stripe')('sk_hookbridge_test');
export const twilio = require('twilio');
const { Paddle } = require('@paddle/paddle-node-sdk');
export const { WorkOS } = require('@workos-inc/node');
const { LinearWebhookClient } = await load('@linear/sdk/dist/webhooks/index.mjs');
export const octokit = await load('@octokit/webhooks-methods/dist-node/index.js').catch(() => load('@octokit/webhooks-methods/dist-src/index.js'));
const { default: OpenAI } = require('openai');
export const { default: Orb } = require('orb-billing');
const { default: Telnyx } = require('telnyx');
const { default: Lithic } = require('lithic');
const { Resend } = require('resend');
const { ElevenLabsClient } = require('@elevenlabs/elevenlabs-js');
const { WebflowClient } = require('webflow-api');
const { Webhook: Svix } = require('svix');
const { Webhook: StandardWebhooks } = require('standardwebhooks');
const { validateEvent } = require('@polar-sh/sdk/webhooks');
const { EventWebhook } = require('@sendgrid/eventwebhook');
export const AdyenHmac = inside('@adyen/api-library/lib/src/utils/hmacValidator.js').default;
const SnsValidator = require('sns-validator');
await load('@shopify/shopify-api/dist/esm/adapters/node/index.mjs');
const { shopifyApi, LATEST_API_VERSION, ApiVersion } = await load('@shopify/shopify-api/dist/esm/lib/index.mjs');

const standard = (secret, h, body) => (new StandardWebhooks(secret).verify(body, h), true);
const shopifyNames = { 'x-shopify-shop-domain': 'a.myshopify.com', 'x-shopify-api-version': '2026-01' };

export const adapters = {
  stripe: { 'stripe constructEvent': (s, h, b) => !!stripe.webhooks.constructEvent(b, h['stripe-signature'], s, 300, undefined, now) },
  github: { '@octokit/webhooks-methods verify': (s, h, b) => octokit.verify(s, b, h['x-hub-signature-256']) },
  slack: {
    '@slack/bolt verifySlackRequest': (s, h, b) => (inside('@slack/bolt/dist/receivers/verify-request.js').verifySlackRequest({ signingSecret: s, headers: { 'x-slack-signature': h['x-slack-signature'], 'x-slack-request-timestamp': Number(h['x-slack-request-timestamp']) }, body: b }), true),
    '@slack/events-api verifyRequestSignature': (s, h, b) => require('@slack/events-api').verifyRequestSignature({ signingSecret: s, requestSignature: h['x-slack-signature'], requestTimestamp: h['x-slack-request-timestamp'], body: b }),
  },
  shopify: {
    '@shopify/shopify-api webhooks.validate': async (s, h, b) => {
      const shopify = shopifyApi({ apiKey: 'k', apiSecretKey: s, scopes: [], hostName: 'hooks.example.com', isEmbeddedApp: false, apiVersion: LATEST_API_VERSION ?? ApiVersion.January26, logger: { level: 0 } });
      const rawRequest = { headers: { ...h, ...shopifyNames }, method: 'POST', url: '/' };
      return (await shopify.webhooks.validate({ rawBody: b, rawRequest, rawResponse: {} })).valid;
    },
  },
  twilio: {
    'twilio validateRequest, validateRequestWithBody': (s, h, b, { url, form }) => form
      ? twilio.validateRequest(s, h['x-twilio-signature'], url, formFields(b))
      : twilio.validateRequestWithBody(s, h['x-twilio-signature'], url, b),
  },
  sendgrid: {
    '@sendgrid/eventwebhook verifySignature': (s, h, b) => {
      const verifier = new EventWebhook();
      return verifier.verifySignature(verifier.convertPublicKeyToECDSA(s), b, h['x-twilio-email-event-webhook-signature'], h['x-twilio-email-event-webhook-timestamp']);
    },
  },
  discord: { 'discord-interactions verifyKey': (s, h, b) => require('discord-interactions').verifyKey(b, h['x-signature-ed25519'], h['x-signature-timestamp'], s) },
  telnyx: { 'telnyx webhooks.unwrap': async (s, h, b) => !!(await new Telnyx({ apiKey: 'k' }).webhooks.unwrap(b, { headers: h, key: s })) },
  adyen: {
    '@adyen/api-library validateHMAC, every item': (s, h, b) => {
      const items = JSON.parse(b).notificationItems;
      return items.length > 0 && items.every((i) => new AdyenHmac().validateHMAC(i.NotificationRequestItem, s));
    },
  },
  hubspot: {
    '@hubspot/api-client Signature.isValid': (s, h, b, { url }) => require('@hubspot/api-client').Signature.isValid({ signatureVersion: 'v3', signature: h['x-hubspot-signature-v3'], method: 'POST', clientSecret: s, requestBody: b, url, timestamp: h['x-hubspot-request-timestamp'] }),
  },
  square: { 'square WebhooksHelper.verifySignature': (s, h, b, { url }) => require('square').WebhooksHelper.verifySignature({ requestBody: b, signatureHeader: h['x-square-hmacsha256-signature'], signatureKey: s, notificationUrl: url }) },
  line: { '@line/bot-sdk validateSignature': (s, h, b) => require('@line/bot-sdk').validateSignature(b, s, h['x-line-signature']) },
  razorpay: { 'razorpay validateWebhookSignature': (s, h, b) => inside('razorpay/dist/utils/razorpay-utils.js').validateWebhookSignature(b, h['x-razorpay-signature'], s) },
  workos: { '@workos-inc/node constructEvent (of the parsed body)': async (s, h, b) => !!(await new WorkOS('sk_test').webhooks.verifyHeader({ payload: JSON.parse(b), sigHeader: h['workos-signature'], secret: s })) },
  paddle: { '@paddle/paddle-node-sdk isSignatureValid': (s, h, b) => new Paddle('key').webhooks.isSignatureValid(b, s, h['paddle-signature']) },
  sanity: { '@sanity/webhook isValidSignature': (s, h, b) => require('@sanity/webhook').isValidSignature(b, h['sanity-webhook-signature'], s) },
  linear: { '@linear/sdk LinearWebhookClient.verify': (s, h, b) => new LinearWebhookClient(s).verify(Buffer.from(b), h['linear-signature'], JSON.parse(b).webhookTimestamp) },
  gocardless: { 'gocardless-nodejs webhooks.parse': (s, h, b) => !!require('gocardless-nodejs/webhooks').parse(b, s, h['webhook-signature']) },
  vonage: { '@vonage/jwt verifySignature (without the body hash)': (s, h) => require('@vonage/jwt').verifySignature(h.authorization.replace(/^Bearer /, ''), s) },
  openai: { 'openai webhooks.verifySignature': async (s, h, b) => (await new OpenAI({ apiKey: 'k' }).webhooks.verifySignature(b, h, s), true) },
  resend: { 'resend webhooks.verify': (s, h, b) => !!new Resend('re_test').webhooks.verify({ payload: b, headers: { id: h['svix-id'], timestamp: h['svix-timestamp'], signature: h['svix-signature'] }, webhookSecret: s }) },
  clerk: { 'svix Webhook.verify': (s, h, b) => !!new Svix(s).verify(b, h) },
  orb: { 'orb-billing webhooks.verifySignature': (s, h, b) => (new Orb({ apiKey: 'k' }).webhooks.verifySignature(b, h, s), true) },
  ebay: { 'event-notification-nodejs-sdk validateSignature (of the parsed body)': (_, h, b) => inside('event-notification-nodejs-sdk/lib/validator.js').validateSignature(JSON.parse(b), h['x-ebay-signature'], {}) },
  elevenlabs: { '@elevenlabs/elevenlabs-js constructEvent': async (s, h, b) => !!(await new ElevenLabsClient({ apiKey: 'k' }).webhooks.constructEvent(b, h['elevenlabs-signature'], s)) },
  replicate: { 'replicate validateWebhook': (s, h, b) => require('replicate').validateWebhook({ id: h['webhook-id'], timestamp: h['webhook-timestamp'], signature: h['webhook-signature'], body: b, secret: s }) },
  lithic: { 'lithic webhooks.verifySignature': (s, h, b) => (new Lithic({ apiKey: 'k' }).webhooks.verifySignature(b, h, s), true) },
  polar: {
    '@polar-sh/sdk validateEvent': async (s, h, b) => {
      try { await validateEvent(b, h, s); return true; } catch (e) { if (e.constructor.name === 'WebhookVerificationError') throw e; return true; }
    },
  },
  'aws-sns': {
    'sns-validator validate': (_, h, b) => new Promise((done) => new SnsValidator().validate(b, (error) => done(!error))),
  },
  webflow: { 'webflow-api webhooks.verifySignature': (s, h, b) => new WebflowClient({ accessToken: 't' }).webhooks.verifySignature({ headers: h, body: b, secret: s }) },
  smartcar: { 'smartcar verifyPayload (of the parsed body)': (s, h, b) => require('smartcar').verifyPayload(s, h['sc-signature'], JSON.parse(b)) },
  'coinbase-commerce': { 'coinbase-commerce-node verifySigHeader': (s, h, b) => inside('coinbase-commerce-node/lib/Webhook.js').verifySigHeader(b, h['x-cc-webhook-signature'], s) },
  box: { 'box-node-sdk validateMessage': (s, h, b, { secrets }) => inside('box-node-sdk/lib/managers/webhooks.js').WebhooksManager.validateMessage(b, h, s, { secondaryKey: s, maxAge: 600 }) },
};
for (const name of ['brex', 'incident-io', '360learning', 'signatureapi', 'gitlab-signing', 'gemini', 'shipbob']) adapters[name] = { 'standardwebhooks verify': standard };
adapters.bigcommerce = { 'standardwebhooks verify, of the secret in base64': (s, h, b) => standard(Buffer.from(s).toString('base64'), h, b) };

function formFields(body) {
  const out = {};
  for (const [name, value] of new URLSearchParams(body)) out[name] = name in out ? [].concat(out[name], value) : value;
  return out;
}

export async function accepts(adapter, document, one) {
  const headers = {};
  for (const [name, value] of one.headers) headers[name.toLowerCase()] = name.toLowerCase() in headers ? `${headers[name.toLowerCase()]}, ${value}` : value;
  const body = Buffer.from(one.body_base64, 'base64').toString('utf8');
  const url = (document.source?.public_url ?? '') + (one.query ? `?${one.query}` : '');
  const form = (headers['content-type'] ?? '').includes('form');
  for (const secret of one.secrets.length ? one.secrets : [undefined]) {
    try { if (await adapter(secret, headers, body, { url, form, secrets: one.secrets })) return true; } catch { /* a refusal */ }
  }
  return false;
}

// Gives every case of the vectors to the official JavaScript libraries, and prints where they come to another verdict.
//
//     mkdir /tmp/libraries && cd /tmp/libraries && npm init -y
//     npm install --ignore-scripts $(cat .../official/libraries.txt)
//     node .../official/crosscheck.mjs /tmp/libraries
//
// Nothing is written. The README of the vectors says what is known of the differences.

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { accepts, adapters, setFile } from './libraries.mjs';

const here = path.dirname(new URL(import.meta.url).pathname);

let cases = 0;
for (const [name, libraries] of Object.entries(adapters)) {
  const file = path.join(here, '..', `${name}.json`);
  const document = JSON.parse(readFileSync(file, 'utf8'));
  setFile(document);
  for (const [library, adapter] of Object.entries(libraries)) {
    const stricter = [], laxer = [];
    let agreed = 0;
    for (const one of document.cases) {
      cases += 1;
      const accepted = await accepts(adapter, document, one);
      if (accepted === (one.verdict === 'accept')) agreed += 1;
      else (accepted ? laxer : stricter).push(one.name);
    }
    console.log(`${name}: ${library}: ${agreed} of ${document.cases.length} agree`);
    if (stricter.length) console.log(`    the library refuses: ${stricter.join(' ')}`);
    if (laxer.length) console.log(`    the library accepts: ${laxer.join(' ')}`);
  }
}
console.log(`${cases} verdicts compared`);

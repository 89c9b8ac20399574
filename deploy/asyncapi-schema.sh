#!/usr/bin/env bash
# Writes tests/published/asyncapi/3.0.0.json: the JSON Schema of AsyncAPI 3.0.0 documents, from npm package @asyncapi/specs
# (Apache-2.0), without blanks. Then asks AsyncAPI's own parser about our document. Needs node 20 and npm.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD out=$PWD/tests/published/asyncapi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$out"
cd "$work"

cat > package.json <<'JSON'
{ "private": true, "dependencies": { "@asyncapi/specs": "6.11.1", "@asyncapi/parser": "3.6.6" } }
JSON
npm install --no-audit --no-fund --ignore-scripts --silent
cp node_modules/@asyncapi/specs/{LICENSE,NOTICE} "$out"

cat > make.cjs <<'JS'
const fs = require('fs');
const { Parser } = require('@asyncapi/parser');
const [out, document] = process.argv.slice(2);
const schema = JSON.parse(fs.readFileSync('node_modules/@asyncapi/specs/schemas/3.0.0.json', 'utf8'));
// Examples and prose are no rules.
const lean = (node) => {
  if (Array.isArray(node)) return node.map(lean);
  if (!node || typeof node !== 'object') return node;
  const kept = Object.entries(node).filter(([key, value]) =>
    !(key === 'examples' && Array.isArray(value)) && !(key === 'description' && typeof value === 'string'));
  return Object.fromEntries(kept.map(([key, value]) => [key, lean(value)]));
};
fs.writeFileSync(`${out}/3.0.0.json`, JSON.stringify(lean(schema)) + '\n');
new Parser().parse(fs.readFileSync(document, 'utf8')).then(({ document, diagnostics }) => {
  diagnostics.forEach((each) => console.log(['error', 'warning', 'info', 'hint'][each.severity], each.code, each.path.join('.'), each.message));
  if (!document || diagnostics.some((each) => each.severity < 2)) process.exit(1);
  console.log(`AsyncAPI's parser: well, version ${document.version()}, ${document.allOperations().length} operations`);
});
JS
node make.cjs "$out" "$root/docs/dev/contract/asyncapi.json"
ls -l "$out"

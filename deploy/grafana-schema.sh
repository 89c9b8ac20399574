#!/usr/bin/env bash
# Writes dashboards/grafana/grafana-VERSION.json: JSON Schemas of a dashboard and of the options of the panels we use, made
# from Grafana's own types (npm package @grafana/schema, Apache-2.0). Needs node 20 and npm; run it again for a new Grafana.
set -euo pipefail
cd "$(dirname "$0")/.."
out=$PWD/dashboards/grafana
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

cat > package.json <<'JSON'
{
  "private": true,
  "dependencies": {
    "ts-json-schema-generator": "2.10.0",
    "grafana-11.6.0": "npm:@grafana/schema@11.6.0",
    "grafana-13.2.3": "npm:@grafana/schema@13.2.3"
  }
}
JSON
npm install --no-audit --no-fund --ignore-scripts --silent

cat > make.mjs <<'JS'
import fs from 'node:fs';
import { createGenerator } from 'ts-json-schema-generator';

const PANELS = {
  bargauge: 'BarGauge', geomap: 'Geomap', stat: 'Stat', 'state-timeline': 'StateTimeline', table: 'Table', text: 'Text',
  timeseries: 'TimeSeries',
};

function find(folder, end) {
  const found = fs.readdirSync(folder, { recursive: true }).filter((name) => name.endsWith(end)).sort();
  if (!found.length) throw new Error(`${folder}: no ${end}`);
  return `${folder}/${found[0]}`;
}

function schema(path, type, expose) {
  const options = { path, type, expose, skipTypeCheck: true, jsDoc: 'none', additionalProperties: false };
  return createGenerator({ ...options, sortProps: true, topRef: true }).createSchema(type);
}

// A panel may leave any option to Grafana; what it names must be known and of the right type.
function partial(node) {
  if (Array.isArray(node)) node.forEach(partial);
  else if (node && typeof node === 'object') {
    delete node.required;
    Object.values(node).forEach(partial);
  }
  return node;
}

const [out, ...versions] = process.argv.slice(2);
for (const version of versions) {
  // Its types name their own package.
  fs.mkdirSync('node_modules/@grafana', { recursive: true });
  fs.rmSync('node_modules/@grafana/schema', { force: true });
  fs.symlinkSync(`../grafana-${version}`, 'node_modules/@grafana/schema');
  const types = `node_modules/grafana-${version}/dist`;
  const dashboard = [`/dashboard_types.gen.d.ts`, `raw/dashboard/x/types.gen.d.ts`];
  const path = dashboard.map((end) => { try { return find(types, end); } catch { return null; } }).find(Boolean);
  const panels = {};
  for (const [name, stem] of Object.entries(PANELS)) {
    const file = find(types, `/${stem}PanelCfg_types.gen.d.ts`);
    panels[name] = { options: partial(schema(file, 'Options', 'none')) };
    if (/interface FieldConfig|type FieldConfig/.test(fs.readFileSync(file, 'utf8')))
      panels[name].custom = partial(schema(file, 'FieldConfig', 'none'));
  }
  const made = { grafana: version, dashboard: schema(path, 'Dashboard', 'all'), panels };
  fs.writeFileSync(`${out}/grafana-${version}.json`, JSON.stringify(made) + '\n');
}
JS
node make.mjs "$out" 11.6.0 13.2.3
cp node_modules/grafana-13.2.3/LICENSE_APACHE2 "$out/LICENSE"
ls -l "$out"

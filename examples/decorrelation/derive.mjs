// node examples/decorrelation/derive.mjs candidates.arrow [output.arrow]
// From candidates and their rest of event (tools/events/candidates.py) to the numbers that the
// study trains on. Half precision keeps the file small; masses are float32.
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import * as arrow from 'apache-arrow';
import * as ups from 'upsilon-kernels';

import { features, ofTracks, shapes } from './candidates.mjs';

const [input, output = path.join(path.dirname(fileURLToPath(import.meta.url)), 'candidates.arrow')] =
  process.argv.slice(2);
const table = ups.arrow.open(input);
const [p4, charge, role] = ['p4', 'charge', 'role'].map((name) => ups.ragged(table.getChild(name)));
const energy = table.getChild('energy').toArray();
const particles = { values: p4.values.reshape([charge.values.size, 4]), offsets: charge.offsets };
const found = {
  ...ups.eventShapes({ p4: particles, charge: charge.values, role: role.values, energy }),
  ...tracks(particles, role.values.data),
};

/** `ofTracks`: the candidate's tracks come first. */
function tracks({ values, offsets }, roles) {
  const momentum = (i) => values.data.subarray(4 * i, 4 * i + 3);
  const others = Array.from(roles, (of, i) => (of === 0 ? [...momentum(i)] : [])).flat();
  const bounds = offsets.data.map((bound, event) => bound - 3 * event);
  const axes = ups.thrust({ values: ups.tensor(others).reshape([others.length / 3, 3]), offsets: bounds }).data;
  const made = ofTracks.map(() => ({ data: new Float32Array(energy.length) }));
  for (let event = 0; event < energy.length; ++event) {
    const axis = axes.subarray(3 * event, 3 * event + 3),
      thrust = Math.hypot(...axis);
    for (let track = 0; track < 3; ++track) {
      const p = momentum(offsets.data[event] + track),
        size = Math.hypot(...p);
      if (track === 0) made[0].data[event] = size;
      const along = p.reduce((sum, component, k) => sum + component * axis[k], 0);
      made[1 + track].data[event] = thrust > 0 ? Math.abs(along) / (size * thrust) : 0;
    }
  }
  return Object.fromEntries(ofTracks.map((name, i) => [name, made[i]]));
}

const fields = [],
  columns = [];
function add(name, type, data, description) {
  fields.push(new arrow.Field(name, type, false, new Map([['description', description]])));
  columns.push(arrow.makeData({ type, length: data.length, nullCount: 0, data }));
}
/** What is below the normal numbers of half precision is 0. */
const half = (values) =>
  Uint16Array.from(values, (value) => (Math.abs(value) < 2 ** -14 ? 0 : arrow.util.float64ToUint16(value)));
for (const name of features)
  add(name, new arrow.Float16(), half(found[name].data), shapes.includes(name) ? 'of eventShapes' : 'of a track');
const described = Object.fromEntries(
  table.schema.fields.map((field) => [field.name, field.metadata.get('description')]),
);
for (const name of ['mass', 'mbc']) add(name, new arrow.Float32(), table.getChild(name).toArray(), described[name]);
add('deltaE', new arrow.Float16(), half(table.getChild('deltaE').toArray()), described.deltaE);
add('signal', new arrow.Uint8(), table.getChild('signal').toArray(), described.signal);

const schema = new arrow.Schema(fields, table.schema.metadata);
const struct = arrow.makeData({
  type: new arrow.Struct(fields),
  length: energy.length,
  nullCount: 0,
  children: columns,
});
const bytes = arrow.tableToIPC(new arrow.Table(schema, [new arrow.RecordBatch(schema, struct)]), 'file');
writeFileSync(output, bytes);
console.log(`${output}: ${energy.length} candidates, ${fields.length} columns, ${bytes.length} bytes`);

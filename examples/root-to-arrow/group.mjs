import { UserError } from './errors.mjs';

/**
 * Rows that follow one another with the same `keys` become one row, in which the other columns are
 * lists.
 */
export function grouped(columns, keys) {
  const of = keys.map((key) => columns.find(({ name }) => name === key));
  const unknown = keys.filter((_, i) => !of[i]);
  if (unknown.length > 0) throw new UserError(`--group: there is no column ${unknown.join(', ')}`);
  const list = columns.find(({ offsets }) => offsets);
  if (list) throw new UserError(`--group: ${list.name} already is a list`);
  const rows = columns[0].rows,
    offsets = [0];
  for (let row = 1; row <= rows; ++row) {
    if (row === rows || of.some(({ values }) => values[row] !== values[row - 1])) offsets.push(row);
  }
  const first = offsets.slice(0, -1);
  return columns.map(({ name, values, unit }) =>
    keys.includes(name)
      ? { name, unit, values: values.constructor.from(first, (row) => values[row]), rows: first.length }
      : { name, unit, values, offsets, rows: first.length },
  );
}

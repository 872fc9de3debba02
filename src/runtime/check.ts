// What is said about arguments that cannot be used.
import { ValueError } from './errors';

/**
 * A value as shown in messages. Never throws for any value: `String(Object.create(null))` would.
 */
export function shown(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return `'${value.length > 40 ? `${value.slice(0, 40)}...` : value}'`;
    case 'bigint':
      return `${value}n`;
    case 'function':
      return 'a function';
    case 'symbol':
      return 'a symbol';
    case 'object':
      return value === null ? 'null' : Array.isArray(value) ? `a list of ${value.length}` : 'an object';
    default:
      return String(value);
  }
}

/** The names an object of options may have. */
export class KnownOptions {
  private readonly names: ReadonlySet<string>;

  constructor(...names: string[]) {
    this.names = new Set(names);
  }

  /**
   * Throws when `options` is not an object or has an unknown name, so that a misspelt option cannot
   * go unnoticed.
   * @param what - what the object is called in messages
   */
  check(options: unknown, operation: string, what = 'options'): void {
    if (options === undefined) return;
    if (typeof options !== 'object' || options === null || Array.isArray(options)) {
      throw new ValueError(operation, what, `${what} is ${shown(options)} (expected an object with ${this.list()})`);
    }
    for (const name in options) {
      if (!this.names.has(name)) {
        throw new ValueError(operation, name, `unknown option ${shown(name)} (expected one of ${this.list()})`);
      }
    }
  }

  private list(): string {
    return [...this.names].join(', ');
  }
}

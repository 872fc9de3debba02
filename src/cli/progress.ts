/** What of cli-progress is used; it comes without types. */
interface SingleBar {
  start(total: number, value: number, payload: object): void;
  update(value: number, payload: object): void;
  stop(): void;
}

/** Says how far a production is. */
export interface Progress {
  update(showers: number): void;
  stop(): void;
}

/** A bar on a terminal; elsewhere a line every now and then, for the log. */
export function progressOf(total: number, stream: NodeJS.WriteStream): Progress {
  if (total === 0) return { update: () => undefined, stop: () => undefined };
  return stream.isTTY ? bar(total, stream) : lines(total, stream);
}

function bar(total: number, stream: NodeJS.WriteStream): Progress {
  const { SingleBar: Bar } = require('cli-progress') as { SingleBar: new (options: object) => SingleBar };
  const start = performance.now();
  const drawn = new Bar({
    format: '{bar} {percentage} % | {value} of {total} showers | {rate} per s | {eta_formatted} left',
    barCompleteChar: '█',
    barIncompleteChar: '░',
    hideCursor: true,
    stream,
  });
  drawn.start(total, 0, { rate: '–' });
  return {
    update: (showers) => drawn.update(showers, { rate: rateOf(showers, start) }),
    stop: () => drawn.stop(),
  };
}

const secondsBetweenLines = 10;

function lines(total: number, stream: NodeJS.WriteStream): Progress {
  const start = performance.now();
  let said = start;
  return {
    update(showers) {
      const now = performance.now();
      if (showers < total && now - said < 1000 * secondsBetweenLines) return;
      said = now;
      stream.write(`${showers} of ${total} showers, ${rateOf(showers, start)} per s\n`);
    },
    stop: () => undefined,
  };
}

function rateOf(showers: number, start: number): string {
  const seconds = (performance.now() - start) / 1000;
  return seconds > 0 ? (showers / seconds).toPrecision(3) : '–';
}

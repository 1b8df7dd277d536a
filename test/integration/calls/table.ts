/** What a call may come to in a state: `ok`, or the code of its error without `DISCO_`; several are parted by `|`. */
export interface Cell {
  readonly outcomes: readonly string[];
  /** When it is due: at once, or after its own time. */
  readonly dueMs: number;
}

/** What a call came to. */
export interface Seen {
  readonly outcome: string;
  readonly ms: number;
}

/** A table of text: a column for each state, a row for each call, `OUTCOME@milliseconds` in each cell. */
export function readTable(text: string): Map<string, Map<string, Cell>> {
  const [head, ...rows] = text
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/));
  const states = head.slice(1);
  return new Map(
    rows.map(([call, ...cells]) => [call, new Map(cells.map((cell, at) => [states[at], readCell(cell)]))]),
  );
}

function readCell(text: string): Cell {
  const [outcomes, dueMs = '0'] = text.split('@');
  return { outcomes: outcomes.split('|'), dueMs: Number(dueMs) };
}

/** Calls `make`, and tells what that came to; `PENDING` when it has not settled after `patienceMs`. */
export async function outcomeOf(make: () => Promise<unknown>, patienceMs: number): Promise<Seen> {
  const startedMs = performance.now();
  let timer: NodeJS.Timeout | undefined;
  const pending = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve('PENDING'), patienceMs);
  });
  const settled = (async () => make())().then(
    () => 'ok',
    (error: { code?: string }) => String(error?.code ?? error).replace(/^DISCO_/, ''),
  );
  const outcome = await Promise.race([settled, pending]);
  clearTimeout(timer);
  return { outcome, ms: performance.now() - startedMs };
}

/** What was seen, in the form of the table itself. */
export function printed(seen: ReadonlyMap<string, ReadonlyMap<string, Seen>>): string {
  const states = [...seen.keys()];
  const calls = [...new Set(states.flatMap((state) => [...seen.get(state)!.keys()]))];
  const cell = (state: string, call: string) => {
    const found = seen.get(state)?.get(call);
    return found ? `${found.outcome} ${Math.round(found.ms)}` : '';
  };
  const rows = [
    ['call', ...states],
    ...calls.map((call) => [call, ...states.map((state) => cell(state, call))]),
  ];
  const widths = rows[0].map((_, at) => Math.max(...rows.map((row) => row[at].length)));
  return rows
    .map((row) =>
      row
        .map((text, at) => text.padEnd(widths[at]))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

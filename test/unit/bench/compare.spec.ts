import { execFileSync } from 'node:child_process';
import { root } from '../docs/markdown.js';

interface Row {
  readonly suite: string;
  readonly case: string;
  readonly peerName: string;
  readonly ratio: number;
  readonly spread: number;
  readonly smallerIsBetter: boolean;
}

interface Compared {
  readonly name: string;
  readonly worse: number | null;
  readonly allowed: number | null;
  readonly regressed: boolean;
}

/** Runs an expression over the bench's own modules, which are ESM that jest does not load, in a Node of its own. */
function evaluate<T>(expression: string, given: unknown): T {
  const program = `
    import { readFileSync } from 'node:fs';
    import { MARGIN, baselineOf, compare, told, vanished } from './bench/harness/compare.mjs';
    import { line, row, rowOfRounds } from './bench/harness/report.mjs';
    const given = JSON.parse(readFileSync(0, 'utf8'));
    console.log(JSON.stringify(${expression}));`;
  const options = { cwd: root, input: JSON.stringify(given), encoding: 'utf8' } as const;
  return JSON.parse(execFileSync(process.execPath, ['--input-type=module', '-e', program], options)) as T;
}

const row = (changes: Partial<Row> = {}): Row => ({
  suite: 'pubsub',
  case: '100 B, messages/s',
  peerName: 'Transport.REDIS',
  ratio: 10,
  spread: 0.05,
  smallerIsBetter: false,
  ...changes,
});

function compared(before: Row, now: Row): Compared {
  const given = { before: [before], now: [now] };
  return evaluate<Compared[]>('compare(baselineOf(given.before), given.now)', given)[0];
}

describe('the comparison with the baseline', () => {
  // What noise explains here: the spreads of both runs, 5 % each, and the margin of 15 %.
  it.each([
    ['the same', {}, {}, false],
    ['better', {}, { ratio: 20 }, false],
    ['worse within noise', {}, { ratio: 8.1 }, false],
    ['worse beyond noise', {}, { ratio: 7.9 }, true],
    ['worse beyond noise where less is better', { smallerIsBetter: true }, { ratio: 12.6 }, true],
    ['worse within noise where less is better', { smallerIsBetter: true }, { ratio: 12.4 }, false],
    ['better where less is better', { smallerIsBetter: true }, { ratio: 5 }, false],
    ['worse, but the rounds lay far apart', {}, { ratio: 7.9, spread: 0.3 }, false],
    ['not a number', {}, { ratio: Number.NaN }, true],
  ])('%s', (_title, common, changes, regressed) => {
    expect(compared(row(common), row({ ...common, ...changes })).regressed).toBe(regressed);
  });

  it('says by how much, and what noise explains', () => {
    const { worse, allowed } = compared(row(), row({ ratio: 5 }));
    expect(worse).toBeCloseTo(1);
    expect(allowed).toBeCloseTo(0.25);
  });

  it('does not judge a row that the baseline does not know, and says so', () => {
    const given = { before: [row()], now: [row({ peerName: 'somebody else' })] };
    const lines = evaluate<string[]>('told(compare(baselineOf(given.before), given.now))', given);
    expect(lines[0]).toBe('0 rows compared with the baseline, 0 worse beyond noise.');
    expect(lines[1]).toContain('not in the baseline: pubsub: 100 B, messages/s / somebody else');
  });

  it('finds what is not measured any more, of the suites that ran', () => {
    const before = [row(), row({ case: 'gone' }), row({ suite: 'locks' })];
    const given = { before, now: [row()] };
    expect(evaluate('vanished(baselineOf(given.before), given.now)', given)).toEqual([
      'pubsub: gone / Transport.REDIS',
    ]);
  });

  it('names the row, both ratios and the reason of a regression', () => {
    const given = { before: [row()], now: [row({ ratio: 5 })] };
    expect(evaluate<string[]>('told(compare(baselineOf(given.before), given.now))', given)[1]).toMatch(
      /REGRESSED pubsub: 100 B.*ratio 10 → 5, worse by 100 %; noise explains 25 %/,
    );
  });
});

describe('a row', () => {
  const rounds = (values: number[]) => values.map((value) => ({ value }));
  const given = (rest: object) => ({
    suite: 's',
    name: 'n',
    peerName: 'p',
    ours: rounds([10, 11, 30]),
    theirs: rounds([10, 10, 10]),
    ...rest,
  });
  const rowOf = (rest: object) =>
    evaluate<Row & { met: boolean }>('rowOfRounds({ ...given, figure: ({ value }) => value })', given(rest));

  it("is the median of the rounds' ratios, and how far they lie from it", () => {
    expect(rowOf({})).toMatchObject({ ratio: 1.1, spread: 0.09091 });
  });

  it.each([
    [{ atLeast: 1.1 }, true],
    [{ atLeast: 1.2 }, false],
    [{ atMost: 1.1 }, true],
    [{ atMost: 1 }, false],
    [{}, null],
  ])('%j: met is %s', (target, met) => {
    expect(rowOf(target).met).toBe(met);
  });

  describe('with a floor', () => {
    const floored = (rest: object) => rowOf({ floor: rounds([20, 20, 20]), ...rest });

    it('tells the share of the floor, and how far its rounds lie from it', () => {
      expect(floored({})).toMatchObject({ floor: 20, share: 0.55, shareTarget: null, shareSpread: 0.09091 });
    });

    it.each([
      [{ atLeast: 1.1, shareTarget: 0.5 }, true],
      [{ atLeast: 1.1, shareTarget: 0.6 }, false],
      [{ atLeast: 1.2, shareTarget: 0.5 }, false],
      [{ shareTarget: 0.5 }, true],
      [{ shareTarget: 0.5, smallerIsBetter: true }, false],
      [{ atMost: 1.2, shareTarget: 0.6 }, true],
      [{}, null],
    ])('%j: met is %s, by both targets', (targets, met) => {
      expect(floored(targets).met).toBe(met);
    });

    it('is printed with what is documented, and no more', () => {
      const expression = 'line(rowOfRounds({ ...given, figure: ({ value }) => value }))';
      const line = evaluate<string>(expression, given({ floor: rounds([20, 20, 20]) }));
      const keys = ['floor', 'share', 'shareTarget', 'floorCpuRatio'];
      expect(Object.keys(JSON.parse(line) as object).slice(-4)).toEqual(keys);
    });

    it('is compared with the floor once, however many peers the case has', () => {
      const now = ['a', 'b'].map((peerName) => floored({ peerName }));
      const names = evaluate<Compared[]>('compare(baselineOf(given), given)', now).map(({ name }) => name);
      expect(names).toEqual(['n / a', 'n / floor', 'n / b']);
    });
  });

  it('is printed with what is documented, and no more', () => {
    const line = evaluate<string>('line(rowOfRounds({ ...given, figure: ({ value }) => value }))', given({}));
    const keys = ['suite', 'case', 'ours', 'peer', 'peerName', 'ratio', 'target', 'met', 'cpuRatio'];
    expect(Object.keys(JSON.parse(line) as object)).toEqual(keys);
  });
});

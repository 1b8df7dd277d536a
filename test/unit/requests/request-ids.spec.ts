import type { Call } from '../../../lib/bus/requests/call.js';
import { CallTable } from '../../../lib/bus/requests/call-table.js';
import { ID_SLOTS, isHex128, requestId, slotOf } from '../../../lib/bus/requests/request-headers.js';

/** How often each bit is set in the ids, first bit first. */
function setBits(ids: readonly string[]): number[] {
  const counts = new Array<number>(128).fill(0);
  for (const id of ids) {
    for (const [byte, value] of Buffer.from(id, 'hex').entries()) {
      for (let bit = 0; bit < 8; bit++) counts[byte * 8 + bit] += (value >> (7 - bit)) & 1;
    }
  }
  return counts;
}

describe('The id of a request', () => {
  const slots = [0, 1, 0xabcdef, ID_SLOTS - 1];

  it.each(slots)('names slot %i and is 32 hexadecimal digits, as peers of any version read them', (slot) => {
    const id = requestId(slot);
    expect(isHex128(id)).toBe(true);
    expect(slotOf(id)).toBe(slot);
  });

  it('has 104 random bits beside its slot', () => {
    const count = 10_000;
    const ids = Array.from({ length: count }, () => requestId(0xf0f0f0));
    const counts = setBits(ids);
    const fixed = counts.filter((times) => times === 0 || times === count);
    expect(fixed).toHaveLength(24);
    const random = counts.slice(24);
    expect(random).toHaveLength(104);
    // 5,000 times each; 7 standard deviations of 50 on either side.
    for (const times of random) expect(Math.abs(times - count / 2)).toBeLessThan(350);
    // Half of the bits differ from one id to the next: no part counts up.
    const differing = ids.slice(1).map((id, index) => differences(id, ids[index]));
    const mean = differing.reduce((sum, each) => sum + each, 0) / differing.length;
    expect(Math.abs(mean - 52)).toBeLessThan(1);
    expect(new Set(ids).size).toBe(count);
  });
});

function differences(one: string, other: string): number {
  const left = Buffer.from(one, 'hex');
  const right = Buffer.from(other, 'hex');
  const bitsOf = (byte: number) => byte.toString(2).replaceAll('0', '').length;
  return left.reduce((sum, byte, index) => sum + bitsOf(byte ^ right[index]), 0);
}

describe('The table of calls that wait', () => {
  const added = (table: CallTable, aside = false): Call => {
    const call = { id: table.nextId(), aside } as Call;
    table.add(call);
    return call;
  };

  it('finds a call by its whole id alone', () => {
    const table = new CallTable(10);
    const [first, second] = [added(table), added(table)];
    expect([table.find(first.id), table.find(second.id)]).toEqual([first, second]);
    const lastDigit = first.id.at(-1) === '0' ? '1' : '0';
    const wrong = [
      `${first.id.slice(0, -1)}${lastDigit}`,
      first.id.slice(0, 6),
      first.id.toUpperCase().padEnd(40, '0'),
      `${first.id}0`,
      requestId(0),
      requestId(2),
      requestId(ID_SLOTS - 1),
      '-00001',
      'length',
      '',
    ];
    for (const id of wrong) expect(table.find(id)).toBeUndefined();
  });

  it('uses a slot again under another id', () => {
    const table = new CallTable(10);
    const [first, second] = [added(table), added(table)];
    table.delete(first);
    expect([table.size, table.calls()]).toEqual([1, [second]]);
    const third = added(table);
    expect(slotOf(third.id)).toBe(slotOf(first.id));
    expect(table.find(first.id)).toBeUndefined();
    expect(table.find(third.id)).toBe(third);
    expect([table.size, table.calls()]).toEqual([2, [third, second]]);
  });

  it('counts apart what is asked aside', () => {
    const table = new CallTable(10);
    const [, aside] = [added(table), added(table, true)];
    expect([table.size, table.waiting]).toEqual([2, 1]);
    table.delete(aside);
    expect([table.size, table.waiting]).toEqual([1, 1]);
  });

  it('takes no more than ids can tell apart', () => {
    expect([new CallTable(7).most, new CallTable(2 ** 30).most]).toEqual([7, ID_SLOTS]);
  });
});

import { type Linked, Ring, unlink } from '../../../lib/timing/ring.js';

interface Item extends Linked {
  readonly name: string;
}

const named = (name: string): Item => ({ name });

describe('Ring', () => {
  const names = (ring: Ring<Item>) => ring.items().map(({ name }) => name);

  it('keeps its items in the order they were added in, oldest first', () => {
    const ring = new Ring<Item>();
    expect([ring.first, ring.items()]).toEqual([undefined, []]);
    for (const name of ['a', 'b', 'c']) ring.add(named(name));
    expect(ring.first?.name).toBe('a');
    expect(names(ring)).toEqual(['a', 'b', 'c']);
  });

  it.each([
    ['first', 0, ['b', 'c']],
    ['middle', 1, ['a', 'c']],
    ['last', 2, ['a', 'b']],
  ])('is left by its %s item, which holds nothing any more', (_title, index, left) => {
    const ring = new Ring<Item>();
    const items = ['a', 'b', 'c'].map(named);
    for (const item of items) ring.add(item);
    expect([unlink(items[index]), unlink(items[index])]).toEqual([true, false]);
    expect(names(ring)).toEqual(left);
    expect([items[index].older, items[index].newer]).toEqual([undefined, undefined]);
    ring.add(items[index]);
    expect(names(ring)).toEqual([...left, items[index].name]);
  });
});

import { HeaderMemory } from '../../../lib/message/header-memory.js';
import { noHeaders } from '../../../lib/message/headers.js';

describe('HeaderMemory', () => {
  it('gives the same object while the headers stay the same, whoever holds them', () => {
    const memory = new HeaderMemory();
    const first = memory.check({ 'x-a': '1', 'x-b': '2' });
    expect(memory.check({ 'x-b': '2', 'x-a': '1' })).toBe(first);
    expect(memory.check({ 'x-a': '1', 'x-b': '3' })).toEqual({ 'x-a': '1', 'x-b': '3' });
  });

  it('sees that a caller changed its object', () => {
    const memory = new HeaderMemory();
    const mine: Record<string, string> = { 'x-a': '1' };
    const first = memory.check(mine);
    mine['x-a'] = '2';
    expect(memory.check(mine)).toEqual({ 'x-a': '2' });
    expect(first).toEqual({ 'x-a': '1' });
  });

  it('takes fewer, more and undefined headers for others', () => {
    const memory = new HeaderMemory();
    memory.check({ 'x-a': '1', 'x-b': '2' });
    expect(memory.check({ 'x-a': '1' })).toEqual({ 'x-a': '1' });
    expect(memory.check({ 'x-a': '1', 'x-c': '1' })).toEqual({ 'x-a': '1', 'x-c': '1' });
    expect(() => memory.check({ 'x-d': undefined })).toThrow(
      expect.objectContaining({ code: 'DISCO_MESSAGE_INVALID' }),
    );
    expect(memory.check({})).toEqual({});
    expect(memory.check(undefined)).toBe(noHeaders);
  });

  it('refuses what is malformed each time', () => {
    const memory = new HeaderMemory();
    for (let time = 0; time < 2; time++) expect(() => memory.check({ 'x y': '1' })).toThrow();
  });
});

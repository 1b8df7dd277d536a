import { randomBytes } from 'node:crypto';

const ownBytes = 8;
const poolBytes = ownBytes * 256;
let pool = '';
let taken = 0;

/** 64 random bits as 16 hex digits: what all tokens of a manager begin with, so that its locks can be told from those of others. */
export function ownerTag(): string {
  return randomBytes(ownBytes).toString('hex');
}

/** `tag` and 64 random bits, as 32 hex digits: names one acquisition. Drawn from the system in blocks of 256. */
export function ownerToken(tag: string): string {
  if (taken === pool.length) {
    pool = randomBytes(poolBytes).toString('hex');
    taken = 0;
  }
  const start = taken;
  taken += ownBytes * 2;
  return tag + pool.slice(start, taken);
}

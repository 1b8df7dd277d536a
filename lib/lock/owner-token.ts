import { randomBytes } from 'node:crypto';

const tokenBytes = 16;
const poolBytes = tokenBytes * 256;
let pool = '';
let taken = 0;

/** 128 random bits as 32 hex digits: names one acquisition, and nobody can guess it. Drawn from the system in blocks of 256. */
export function ownerToken(): string {
  if (taken === pool.length) {
    pool = randomBytes(poolBytes).toString('hex');
    taken = 0;
  }
  const start = taken;
  taken += tokenBytes * 2;
  return pool.slice(start, taken);
}

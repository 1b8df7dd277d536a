import { pastLimit } from './shared-lua.js';

/**
 * Writes what a consumer runs. KEYS: stream, state. ARGV: consumer, the mark's text.
 */
export const runningScript = `${pastLimit}
return redis.call('HSET', KEYS[2], 'running:' .. ARGV[1], ARGV[2])
`;

import { nowFunction, pastLimit } from './shared-lua.js';

const soleReader = `
local stream, retry, state = KEYS[1], KEYS[2], KEYS[3]
local group, consumer, claimAfter = ARGV[1], ARGV[2], tonumber(ARGV[3])
local reader = redis.call('HGET', state, 'reader')
if ARGV[4] == '1' then
  if reader == consumer then redis.call('HDEL', state, 'reader', 'reader-until') end
  return 0
end
if reader ~= consumer then
  if reader and tonumber(redis.call('HGET', state, 'reader-until') or 0) > now then return 0 end
  for _, key in ipairs({ stream, retry }) do
    local summary = redis.pcall('XPENDING', key, group)
    if summary.err then return 0 end
    for _, holder in ipairs(summary[4] or {}) do
      if holder[1] ~= consumer then return 0 end
    end
  end
end
redis.call('HSET', state, 'reader', consumer, 'reader-until', text(now + claimAfter))
return 1
`;

/**
 * Takes, keeps or gives up the right to be the only reader of a group. It is free when its reader gave it up or was not
 * heard for \`claimAfter\`, and no other consumer holds an entry: what a former reader held is settled, or back in the
 * group's retry stream, before the next one reads.
 *
 * KEYS: stream, retry stream, state. ARGV: group, consumer, ms it counts as alive, 1 to give up. Reply: 1 if it has the right.
 */
export const soleReaderScript = pastLimit + nowFunction + soleReader;

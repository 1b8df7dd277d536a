import { LISTS_KEPT_MS, nowFunction, pastLimit } from './shared-lua.js';

const announce = `
local added = {}
for i = 3, #ARGV do
  if redis.call('ZADD', KEYS[1], now, ARGV[i]) == 1 then added[#added + 1] = ARGV[i] end
end
redis.call('PEXPIRE', KEYS[1], ${LISTS_KEPT_MS})
-- Who may not PUBLISH is found a little later.
if #added > 0 then redis.pcall('PUBLISH', ARGV[1], table.concat(added, ' ')) end
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now - tonumber(ARGV[2]), 'WITHSCORES', 'LIMIT', 0, 20)
`;

/**
 * Lists topics, and tells of those that were not listed yet. KEYS: directory. ARGV: channel, ms, then topics. Reply: some
 * topics that nobody has announced for so long, each with when it was.
 */
export const announceScript = nowFunction + announce;

/**
 * Strikes topics off that were not announced again since; what is there is looked at again later.
 * KEYS: directory. ARGV: for each topic itself, when it was announced, and 1 if its stream is there.
 */
export const tidyScript =
  nowFunction +
  `
for i = 1, #ARGV, 3 do
  if redis.call('ZSCORE', KEYS[1], ARGV[i]) == ARGV[i + 1] then
    if ARGV[i + 2] == '1' then redis.call('ZADD', KEYS[1], now, ARGV[i]) else redis.call('ZREM', KEYS[1], ARGV[i]) end
  end
end
return 1
`;

/**
 * Notes that patterns are subscribed now. KEYS: patterns. ARGV: 1, or 0 to ask only; then `group pattern` of each. Reply:
 * now, then for each 1 if it was noted before.
 */
export const hearPatternsScript =
  pastLimit +
  nowFunction +
  `
local reply = { text(now) }
-- Who begins strikes off what was not heard of for as long as the whole list is kept.
if ARGV[1] == '0' then
  local all = redis.call('HGETALL', KEYS[1])
  for i = 1, #all, 2 do
    if now - tonumber(all[i + 1]) >= ${LISTS_KEPT_MS} then redis.call('HDEL', KEYS[1], all[i]) end
  end
end
for i = 2, #ARGV do
  reply[#reply + 1] = redis.call('HEXISTS', KEYS[1], ARGV[i])
  if ARGV[1] == '1' then redis.call('HSET', KEYS[1], ARGV[i], text(now)) end
end
redis.call('PEXPIRE', KEYS[1], ${LISTS_KEPT_MS})
return reply
`;

/** Groups and patterns that were heard of within so many ms. KEYS: patterns. ARGV: ms. Reply: `group pattern` of each. */
export const livePatternsScript =
  nowFunction +
  `
local live, all = {}, redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  if now - tonumber(all[i + 1]) < tonumber(ARGV[1]) then live[#live + 1] = all[i] end
end
return live
`;

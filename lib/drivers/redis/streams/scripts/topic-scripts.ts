import * as lua from './shared-lua.js';

/**
 * Lists topics, and publishes the names of those that were not listed yet.
 *
 * KEYS: directory. ARGV: channel, ms, then topics.
 * Answers: some topics that nobody has announced for that long, each with when it was.
 */
export const announceScript =
  lua.nowFunction +
  `
local added = {}
for i = 3, #ARGV do
  if redis.call('ZADD', KEYS[1], now, ARGV[i]) == 1 then added[#added + 1] = ARGV[i] end
end
redis.call('PEXPIRE', KEYS[1], ${lua.LISTS_KEPT_MS})
-- Who may not PUBLISH is found a little later.
if #added > 0 then redis.pcall('PUBLISH', ARGV[1], table.concat(added, ' ')) end
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now - tonumber(ARGV[2]), 'WITHSCORES', 'LIMIT', 0, 20)
`;

/**
 * Strikes off topics that were not announced again since; a topic whose stream is there stays, and is looked at again later.
 *
 * KEYS: directory. ARGV: for each topic its name, when it was announced, and 1 if its stream is there.
 */
export const tidyScript =
  lua.nowFunction +
  `
for i = 1, #ARGV, 3 do
  if redis.call('ZSCORE', KEYS[1], ARGV[i]) == ARGV[i + 1] then
    if ARGV[i + 2] == '1' then redis.call('ZADD', KEYS[1], now, ARGV[i]) else redis.call('ZREM', KEYS[1], ARGV[i]) end
  end
end
return 1
`;

/**
 * Notes that patterns are subscribed now.
 *
 * KEYS: patterns. ARGV: 1, or 0 to ask only; then `group pattern` of each.
 * Answers: now, then for each 1 if it was noted before.
 */
export const hearPatternsScript =
  lua.pastLimit +
  lua.nowFunction +
  `
local reply = { text(now) }
-- Who begins strikes off what was not heard of for as long as the whole list is kept.
if ARGV[1] == '0' then
  local all = redis.call('HGETALL', KEYS[1])
  for i = 1, #all, 2 do
    if now - tonumber(all[i + 1]) >= ${lua.LISTS_KEPT_MS} then redis.call('HDEL', KEYS[1], all[i]) end
  end
end
for i = 2, #ARGV do
  reply[#reply + 1] = redis.call('HEXISTS', KEYS[1], ARGV[i])
  if ARGV[1] == '1' then redis.call('HSET', KEYS[1], ARGV[i], text(now)) end
end
redis.call('PEXPIRE', KEYS[1], ${lua.LISTS_KEPT_MS})
return reply
`;

/**
 * The patterns that were noted lately.
 *
 * KEYS: patterns. ARGV: ms.
 * Answers: `group pattern` of each that was noted within that time.
 */
export const livePatternsScript =
  lua.nowFunction +
  `
local live, all = {}, redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  if now - tonumber(all[i + 1]) < tonumber(ARGV[1]) then live[#live + 1] = all[i] end
end
return live
`;

/**
 * Lists a topic that somebody uses at most once, and strikes off those that nobody has listed for as long.
 *
 * KEYS: list. ARGV: topic, ms that the use counts.
 */
export const listChannelScript =
  lua.nowFunction +
  `
redis.call('ZADD', KEYS[1], now + tonumber(ARGV[2]), ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(' .. text(now))
`;

/**
 * Notes that somebody uses a topic, unless others use it otherwise.
 *
 * KEYS: uses of the topic, its stream. ARGV: `L` for at least once, `M` for at most once, `B` for at most once by the bare name;
 * by whom; for how many ms, 0 to look only.
 * Answers: some of those who use it otherwise, each behind its letter; none where all agree.
 */
export const agreementScript =
  lua.nowFunction +
  `
local uses, stream = KEYS[1], KEYS[2]
local use, by, hold = ARGV[1], ARGV[2], tonumber(ARGV[3])
local function kindOf(member) return string.sub(member, 1, 1) end

-- Those that agree are all of one kind, so the first one tells.
local present = redis.call('ZRANGEBYSCORE', uses, now, '+inf', 'LIMIT', 0, 5)
if present[1] and kindOf(present[1]) ~= use then return present end
if use ~= 'L' then
  local groups = redis.pcall('XINFO', 'GROUPS', stream)
  if not groups.err then
    local names = {}
    for index, flat in ipairs(groups) do
      if index <= 5 then names[index] = 'L the group ' .. flat[2] end
    end
    if #names > 0 then return names end
    local stored = redis.call('XLEN', stream)
    if stored > 0 then return { 'L ' .. stored .. ' stored messages' } end
  end
end
if hold > 0 then
  -- A server that is full keeps nothing more, and is asked again.
  redis.pcall('ZADD', uses, now + hold, use .. ' ' .. by)
  redis.pcall('PEXPIRE', uses, hold)
  redis.pcall('ZREMRANGEBYSCORE', uses, '-inf', '(' .. text(now))
end
return {}
`;

/**
 * Chooses who watches something for all processes.
 *
 * KEYS: turn, the name of who is chosen, which expires with its lease. ARGV: watcher, lease in ms.
 * Answers: 0 if the watcher is chosen, else ms that the lease of another one lasts.
 */
export const takeWatchScript = `
local chosen = redis.call('GET', KEYS[1])
if chosen and chosen ~= ARGV[1] then return math.max(1, redis.call('PTTL', KEYS[1])) end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 0
`;

/**
 * Ends a turn.
 *
 * KEYS: turn. ARGV: watcher.
 */
export const leaveWatchScript = `
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
`;

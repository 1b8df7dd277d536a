import * as lua from './shared-lua.js';

/**
 * Makes the group where it is missing: at its checkpoint where one is known (at the beginning if the stream is younger than
 * that), else at `start`. Registers the consumer.
 *
 * KEYS: stream, retry stream, state, members. ARGV: group, consumer, ms that it counts as alive, start, checkpoint or nothing,
 * what this member says of itself as JSON.
 * Answers: now; whether the group was made; whether the stream was there; its last id; messages ever added (-1: not known);
 * whether only the retry stream was missing; the last id that was counted, or nothing; what the group is set to: 1 if paused,
 * its limit, how often it was moved.
 * Errors: what Redis answers to XGROUP CREATE, unless the group is there.
 */
export const openScript =
  lua.opening +
  `
local stream, retry, state, members = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local group, consumer, claimAfter, start, known = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5]
local counts, last, added, counted = stream .. ':counts', '0-0', 0, ''
local existed = redis.call('EXISTS', stream) == 1
local oldest
if existed then
  local info = fieldsOf(redis.call('XINFO', 'STREAM', stream))
  last = info['last-generated-id']
  oldest = info['first-entry'] and info['first-entry'][1]
  local known = redis.call('HMGET', counts, 't', 'last')
  added, counted = tonumber(known[1]) or -1, known[2] or ''
else
  redis.call('DEL', counts)
end
local checkpoint = redis.call('HGET', state, 'cp') or known
local from = start
if checkpoint ~= '' then
  from = checkpoint
  if less(last, checkpoint) then from = '0' end
end
-- What was removed before the first entry is not waited for.
if from == '0' and oldest then from = before(oldest) end
if redis.call('EXISTS', retry) == 0 then redis.call('HDEL', state, 'rt', 'rlast', 'rsince') end
local made = redis.pcall('XGROUP', 'CREATE', stream, group, from, 'MKSTREAM')
local created = 1
if made.err then
  if not string.find(made.err, 'BUSYGROUP', 1, true) then return redis.error_reply(made.err) end
  created = 0
end
local back = redis.pcall('XGROUP', 'CREATE', retry, group, '0', 'MKSTREAM')
if back.err and not string.find(back.err, 'BUSYGROUP', 1, true) then return redis.error_reply(back.err) end
-- The retries went without their stream.
local evicted = (created == 0 and not back.err) and 1 or 0
for _, name in ipairs({ ':later', ':later-bodies', ':counts' }) do redis.call('PERSIST', stream .. name) end
redis.call('SET', stream .. ':read', '1', 'PX', ${lua.DAY_MS})
redis.call('ZADD', members, now + claimAfter, consumer)
redis.call('PEXPIRE', members, claimAfter + ${lua.DAY_MS})
redis.call('HSET', state, 'info:' .. consumer, ARGV[6])
if created == 1 and from == '$' then redis.call('HSET', state, 'cp', last) end
local setting = redis.call('HMGET', state, 'paused', 'limit', 'moves')
return { text(now), created, existed and 1 or 0, last, added, evicted, counted, setting[1] or '', setting[2] or '', setting[3] or '' }
`;

/**
 * What a group needs now and then, done by any of its members: says that this member is alive, moves what is due, gives what
 * dead members hold back to the group (what they were running counts as crashed), notes the checkpoint, and trims what every
 * group is done with.
 *
 * KEYS: stream, retry stream, state, members, delayed, bodies, dead letters, parts, later, later's bodies.
 * ARGV: group, consumer, ms that it counts as alive, crashes that are too many, 1 to look for dead members, 1 to trim, entries
 * to move at most, most dead letters that are kept, 1 to look also for what is rare (consumers that are no members, retries
 * whose order was evicted), what this member says of itself as JSON.
 * Answers: now; NOGROUP, and then nothing further, or nothing; when the next is due, or nothing; what the consumer holds; how
 * many other members are alive (17 at most); entries taken back; entries found trimmed or evicted; dead letters that gave way
 * to newer ones; checkpoint; messages ever added (-1: not known); budget left; the last id that was counted; entries that
 * became dead letters for crashes, and as they hold no frame; messages dropped for their time to live, of retries and of
 * delayed publishes; what the group is set to: 1 if paused, its limit, how often it was moved.
 */
export const upkeepScript =
  lua.opening +
  `
local stream, retry, state, members = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local delayed, bodies, dead, parts, later, laterBodies = KEYS[5], KEYS[6], KEYS[7], KEYS[8], KEYS[9], KEYS[10]
local group, consumer, claimAfter = ARGV[1], ARGV[2], tonumber(ARGV[3])
local maxCrashes, reaps, trims, budget = tonumber(ARGV[4]), ARGV[5] == '1', ARGV[6] == '1', tonumber(ARGV[7])
local maxDead, sweeps, info = tonumber(ARGV[8]), ARGV[9] == '1', ARGV[10]
local source = { S = stream, R = retry }
` +
  lua.appendFunction +
  lua.comeBackFunction +
  lua.promoteFunction +
  lua.unburiedFunction +
  lua.buryFunction +
  lua.moveFunction +
  lua.fatesFunction +
  `
local mine, gone = 0, false
for _, key in pairs(source) do
  local summary = redis.pcall('XPENDING', key, group)
  if summary.err then
    if not string.find(summary.err, 'NOGROUP', 1, true) then error(summary.err) end
    gone = true
  else
    for _, each in ipairs(summary[4] or {}) do
      if each[1] == consumer then mine = mine + tonumber(each[2]) end
    end
  end
end
if gone then return { text(now), 'NOGROUP' } end
local notes = redis.call('HMGET', state, 'waiting', 'at', 'grace', 'paused', 'limit', 'moves')
-- What is over makes room before anything else takes some.
if trims then
  trim(stream)
  trim(retry)
end

-- Retries that wait only grow in number between two upkeeps. Where the server has evicted the order of them, they are due
-- now; where it has evicted all, they are lost.
local waited, evicted = tonumber(notes[1] or 0), 0
if waited > 0 or sweeps then
  if redis.call('HLEN', bodies) - 1 > redis.call('ZCARD', delayed) then
    for _, member in ipairs(redis.call('HKEYS', bodies)) do
      if member ~= 'n' then redis.call('ZADD', delayed, 'NX', now, member) end
    end
  end
  evicted = math.max(0, waited - redis.call('ZCARD', delayed))
end
local due, expired = promote(delayed, bodies, comeBack)
if due or waited > 0 then
  local waiting = redis.call('ZCARD', delayed)
  if waiting ~= waited then redis.call('HSET', state, 'waiting', waiting) end
end
local dueLater, expiredLater = promote(later, laterBodies, storeOf(stream))
evicted = evicted + vanished
if not due or dueLater and dueLater < due then due = dueLater end

-- After a time in which nobody could reach the server, the living get some to be heard again.
local grace = tonumber(notes[3] or 0)
redis.call('HSET', state, 'at', text(now), 'info:' .. consumer, info)
if now - tonumber(notes[2] or now) > claimAfter * 2 / 3 then
  grace = now + claimAfter / 2
  redis.call('HSET', state, 'grace', text(grace))
end
redis.call('ZADD', members, now + claimAfter, consumer)
if sweeps then redis.call('PEXPIRE', members, claimAfter + ${lua.DAY_MS}) end

-- The first of them by when they were last heard of: those that are dead, and a few of the others.
local first, silent, others = redis.call('ZRANGE', members, 0, 16, 'WITHSCORES'), {}, 0
for i = 1, #first, 2 do
  if tonumber(first[i + 1]) <= now then silent[#silent + 1] = first[i]
  elseif first[i] ~= consumer then others = others + 1 end
end

local function deadConsumers()
  local found = silent
  if not sweeps then return found end
  for _, key in pairs(source) do
    for _, flat in ipairs(redis.call('XINFO', 'CONSUMERS', key, group)) do
      local info = fieldsOf(flat)
      local unknown = not redis.call('ZSCORE', members, info.name)
      if unknown and info.idle > claimAfter then found[#found + 1] = info.name end
    end
  end
  return found
end

local reaped = 0
if reaps and now >= grace then
  for _, name in ipairs(deadConsumers()) do
    local fateOf = fates(name)
    for letter, key in pairs(source) do
      if budget > 0 then
        for _, pending in ipairs(redis.call('XPENDING', key, group, '-', '+', budget, name)) do
          local id = pending[1]
          move(letter, id, fateOf(letter .. id))
          budget, reaped = budget - 1, reaped + 1
        end
      end
    end
    if budget > 0 then retire(name) end
  end
end

local checkpoint, added, lastId = '', -1, ''
if trims then
  local summary = redis.call('XPENDING', stream, group)
  if summary[1] > 0 then checkpoint = before(summary[2]) end
  for _, flat in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
    local info = fieldsOf(flat)
    if info.name == group and checkpoint == '' then checkpoint = info['last-delivered-id'] end
  end
  redis.call('HSET', state, 'cp', checkpoint)
  trim(stream)
  trim(retry)
  local known = redis.call('HMGET', stream .. ':counts', 't', 'last')
  added, lastId = tonumber(known[1]) or -1, known[2] or ''
end
return { text(now), '', due and text(due) or '', mine, others, reaped, lost + evicted, outlived,
  checkpoint, added, budget, lastId, crashedOut, unreadable, expired, expiredLater, notes[4] or '', notes[5] or '', notes[6] or '' }
`;

/**
 * Writes what a consumer runs.
 *
 * KEYS: stream, state. ARGV: consumer, the text of its mark.
 */
export const runningScript = `${lua.pastLimit}
return redis.call('HSET', KEYS[2], 'running:' .. ARGV[1], ARGV[2])
`;

/**
 * Takes, keeps or gives up the right to be the only reader of a group. The right is free when its reader gave it up or was
 * silent for the time it counts as alive, and no other consumer holds an entry: what a former reader held is settled, or back
 * in the group's retry stream, before the next one reads.
 *
 * KEYS: stream, retry stream, state. ARGV: group, consumer, ms that it counts as alive, 1 to give up.
 * Answers: 1 if it has the right, else 0.
 */
export const soleReaderScript =
  lua.pastLimit +
  lua.nowFunction +
  `
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
 * How many members of a group count as alive now.
 *
 * KEYS: members.
 */
export const censusScript = `
local time = redis.call('TIME')
return redis.call('ZCOUNT', KEYS[1], time[1] * 1000 + math.floor(time[2] / 1000), '+inf')
`;

/**
 * The groups of a topic that nobody reads.
 *
 * KEYS: stream. ARGV: ms without a member from which on a group counts.
 * Answers for each: its name; how many entries it has not handled; when it was last read, in ms since the epoch, 0 where that
 * is not known.
 */
export const abandonedScript =
  lua.floorFunctions +
  lua.nowFunction +
  `
local stream, patience, found = KEYS[1], tonumber(ARGV[1]), {}
local groups = redis.pcall('XINFO', 'GROUPS', stream)
if groups.err then return found end
for _, flat in ipairs(groups) do
  local info = fieldsOf(flat)
  local alive = redis.call('ZCOUNT', stream .. ':members:' .. info.name, now, '+inf')
  local last = tonumber(redis.call('HGET', stream .. ':state:' .. info.name, 'at') or 0)
  if alive == 0 and now - last >= patience then
    local lag = tonumber(info.lag) or redis.call('XLEN', stream)
    found[#found + 1] = { info.name, tonumber(info.pending) + lag, text(last) }
  end
end
return found
`;

/**
 * Removes a group without members.
 *
 * KEYS: stream, members, the mark that a group has read the stream, later, later's bodies; then all other keys of the group.
 * ARGV: group, ms that a stream without groups is kept.
 * Answers: 1 if the group was there, 0 if not, -1 if it has members; 1 if the stream went as well.
 */
export const removeGroupScript =
  lua.opening +
  `
local stream, members, mark, later, laterBodies = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local group, keptFor = ARGV[1], ARGV[2]
if redis.call('ZCOUNT', members, now, '+inf') > 0 then return { -1, 0 } end
local there = 0
if redis.call('EXISTS', stream) == 1 then
  -- What every group has handled goes first: without a group nobody could tell.
  trim(stream)
  there = redis.call('XGROUP', 'DESTROY', stream, group)
end
for i = 6, #KEYS do there = math.max(there, redis.call('DEL', KEYS[i])) end
redis.call('DEL', members)
if redis.call('EXISTS', stream) == 0 then return { there, 0 } end
if #redis.call('XINFO', 'GROUPS', stream) > 0 then
  trim(stream)
  return { there, 0 }
end
redis.call('DEL', mark)
if redis.call('XLEN', stream) == 0 and redis.call('EXISTS', later) == 0 then
  redis.call('DEL', stream, laterBodies, stream .. ':counts')
  return { there, 1 }
end
redis.call('PEXPIRE', stream, keptFor)
redis.call('PEXPIRE', stream .. ':counts', keptFor)
return { there, 0 }
`;

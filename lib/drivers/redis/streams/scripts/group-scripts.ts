import {
  appendFunction,
  buryFunction,
  comeBackFunction,
  DAY_MS,
  fatesFunction,
  floorFunctions,
  moveFunction,
  nowFunction,
  pastLimit,
  promoteFunction,
  unburiedFunction,
} from './shared-lua.js';

const open = `
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
redis.call('SET', stream .. ':read', '1', 'PX', ${DAY_MS})
redis.call('ZADD', members, now + claimAfter, consumer)
redis.call('PEXPIRE', members, claimAfter + ${DAY_MS})
if created == 1 and from == '$' then redis.call('HSET', state, 'cp', last) end
local setting = redis.call('HMGET', state, 'paused', 'limit', 'moves')
return { text(now), created, existed and 1 or 0, last, added, evicted, counted, setting[1] or '', setting[2] or '', setting[3] or '' }
`;

/**
 * Makes the group where it is missing: at its checkpoint when one is known (at the beginning when the stream is younger
 * than that), else where \`start\` says. Registers the consumer.
 *
 * KEYS: stream, retry stream, state, members. ARGV: group, consumer, ms it counts as alive, start, checkpoint or nothing.
 * Reply: now, whether the group was made, whether the stream was there, its last id, its messages ever added (-1 unknown),
 * whether only the retry stream was missing, the last id that was counted or nothing; what the group is set to: 1 if
 * paused, its limit, how often it was moved.
 */
export const openScript = pastLimit + floorFunctions + nowFunction + open;

const upkeep = `
local stream, retry, state, members = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local delayed, bodies, dead, parts, later, laterBodies = KEYS[5], KEYS[6], KEYS[7], KEYS[8], KEYS[9], KEYS[10]
local group, consumer, claimAfter = ARGV[1], ARGV[2], tonumber(ARGV[3])
local maxCrashes, reaps, trims, budget = tonumber(ARGV[4]), ARGV[5] == '1', ARGV[6] == '1', tonumber(ARGV[7])
local maxDead, sweeps, info = tonumber(ARGV[8]), ARGV[9] == '1', ARGV[10]
local source = { S = stream, R = retry }
`;

const upkeepSteps = `
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
local due = promote(delayed, bodies, comeBack)
evicted = evicted + vanished
if due or waited > 0 then
  local waiting = redis.call('ZCARD', delayed)
  if waiting ~= waited then redis.call('HSET', state, 'waiting', waiting) end
end
local dueLater = promote(later, laterBodies, storeOf(stream))
if not due or dueLater and dueLater < due then due = dueLater end

-- After a time in which nobody could reach the server, the living get some to be heard again.
local grace = tonumber(notes[3] or 0)
redis.call('HSET', state, 'at', text(now), 'info:' .. consumer, info)
if now - tonumber(notes[2] or now) > claimAfter * 2 / 3 then
  grace = now + claimAfter / 2
  redis.call('HSET', state, 'grace', text(grace))
end
redis.call('ZADD', members, now + claimAfter, consumer)
if sweeps then redis.call('PEXPIRE', members, claimAfter + ${DAY_MS}) end

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
  checkpoint, added, budget, lastId, crashedOut, notes[4] or '', notes[5] or '', notes[6] or '' }
`;

/**
 * What a group needs every now and then, done by any of its members: says that this one is alive, moves what is due, takes
 * what dead members hold back to the group (what they were running counts as crashed),
 * notes the checkpoint, and trims what every group is done with.
 *
 * KEYS: stream, retry stream, state, members, delayed, bodies, dead letters, parts, later, later's bodies. ARGV: group,
 * consumer, ms it counts as alive, crashes that are too many, 1 to look for dead members, 1 to trim, entries to move at most, most dead letters that are kept, 1 to look also for
 * what is seldom there: consumers that are no members, and retries whose order was evicted, what this member says of itself as JSON.
 * Reply: now, NOGROUP or nothing, when the next is due or nothing, what the consumer holds, how many other members are alive (17 at most),
 * entries taken back, entries found trimmed or evicted, dead letters that gave way to newer ones, checkpoint, messages ever added (-1 unknown), budget left, the last id that was counted, entries that became dead letters for crashes; what the group
 * is set to: 1 if paused, its limit, how often it was moved.
 */
export const upkeepScript =
  pastLimit +
  floorFunctions +
  nowFunction +
  upkeep +
  appendFunction +
  comeBackFunction +
  promoteFunction +
  unburiedFunction +
  buryFunction +
  moveFunction +
  fatesFunction +
  upkeepSteps;

const release = `
local stream, retry, state, members, dead, parts = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local group, consumer, leaves, maxDead = ARGV[1], ARGV[2], ARGV[3] == '1', tonumber(ARGV[4])
local maxCrashes = math.huge
local source = { S = stream, R = retry }
`;

const releaseSteps = `
for _, key in pairs(source) do
  local summary = redis.pcall('XPENDING', key, group)
  if summary.err then return { 0, 0, 0 } end
end
local moved, begun = 0, {}
for i = 5, #ARGV, 3 do
  local letter, id = ARGV[i], ARGV[i + 1]
  begun[letter .. id] = tonumber(ARGV[i + 2])
  if not leaves and #redis.call('XPENDING', source[letter], group, id, id, 1, consumer) > 0 then
    move(letter, id, { released = begun[letter .. id] })
    moved = moved + 1
  end
end
if leaves then
  for letter, key in pairs(source) do
    for _, pending in ipairs(redis.call('XPENDING', key, group, '-', '+', 1000, consumer)) do
      move(letter, pending[1], { released = begun[letter .. pending[1]] })
      moved = moved + 1
    end
  end
  retire(consumer)
end
return { moved, lost, outlived }
`;

/**
 * Gives entries back to the group at once; no crash is counted. A consumer that leaves gives up all it holds (at most 1000
 * of each stream at a time) and is deleted when it holds nothing.
 *
 * KEYS: stream, retry stream, state, members, dead letters, parts. ARGV: group, consumer, 1 if it leaves, most dead letters that are kept; then
 * \`stream id begun\` of entries, \`begun\` 1 for those that were handed to a handler. Reply: entries moved, entries lost, dead
 * letters that gave way to newer ones.
 */
export const releaseScript =
  pastLimit +
  floorFunctions +
  nowFunction +
  release +
  appendFunction +
  comeBackFunction +
  unburiedFunction +
  buryFunction +
  moveFunction +
  releaseSteps;

/**
 * What a consumer holds: \`S<id>\` and \`R<id>\`, at most 10,000 of each.
 * KEYS: stream, retry stream. ARGV: group, consumer.
 */
export const heldScript = `
local held = {}
for letter, key in pairs({ S = KEYS[1], R = KEYS[2] }) do
  for _, pending in ipairs(redis.call('XPENDING', key, ARGV[1], '-', '+', 10000, ARGV[2])) do
    held[#held + 1] = letter .. pending[1]
  end
end
return held
`;

/**
 * The fields of entries, without counting a delivery; one that was trimmed away is acknowledged, and answered with none.
 * KEYS: stream, retry stream, parts. ARGV: group, then \`S<id>\` and \`R<id>\`. Reply for each: name, fields, parts settled.
 */
export const fetchScript = `
local keys, entries = { S = KEYS[1], R = KEYS[2] }, {}
for i = 2, #ARGV do
  local key, id = keys[string.sub(ARGV[i], 1, 1)], string.sub(ARGV[i], 2)
  local found = redis.call('XRANGE', key, id, id)[1]
  if not found then redis.call('XACK', key, ARGV[1], id) end
  entries[#entries + 1] = { ARGV[i], found and found[2] or {}, redis.call('HGET', KEYS[3], ARGV[i]) or '' }
end
return entries
`;

/** How long what nobody stored messages in is kept after its last use: marks that are made again, and who was a member. Milliseconds. */
export const DAY_MS = 86_400_000;

/** How long the lists of topics and of patterns are kept after the last use of any of them. Milliseconds. */
export const LISTS_KEPT_MS = 30 * DAY_MS;

/** Lua functions for ids and replies, which ask the server nothing. Ids are compared as pairs of numbers. */
export const idFunctions = `
local function split(id)
  local ms, seq = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(ms), tonumber(seq)
end

local function less(a, b)
  local ams, aseq = split(a)
  local bms, bseq = split(b)
  if ams ~= bms then return ams < bms end
  return aseq < bseq
end

local function after(id)
  local ms, seq = split(id)
  return string.format('%.0f-%.0f', ms, seq + 1)
end

-- How many messages were ever added to the stream when the entry was, with those of the entry: see appendFunction.
local function totalOf(id)
  local _, seq = split(id)
  return math.floor(seq / 4096)
end

-- How many messages the entry carries.
local function messagesOf(id)
  local _, seq = split(id)
  return seq < 4096 and 1 or seq % 4096 + 1
end

-- An id behind all entries before the one with this id. It has the total that the entry before has.
local function before(id)
  local ms, seq = split(id)
  if seq >= 4096 then return string.format('%.0f-%.0f', ms, (totalOf(id) - messagesOf(id)) * 4096 + 4095) end
  if seq > 0 then return string.format('%.0f-%.0f', ms, seq - 1) end
  if ms == 0 then return '0-0' end
  return string.format('%.0f-18446744073709551615', ms - 1)
end

-- How many parts a list names.
local function partsIn(list)
  local _, commas = string.gsub(list, ',', '')
  return list == '' and 0 or commas + 1
end

local function fieldsOf(flat)
  local fields = {}
  for i = 1, #flat, 2 do fields[flat[i]] = flat[i + 1] end
  return fields
end

`;

/**
 * Lua functions that several scripts begin with.
 *
 * floorOf(stream): the lowest id that some group is not done with; nil while there is no group.
 */
export const floorFunctions = `${idFunctions}
local function floorOf(stream)
  local floor
  for _, flat in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
    local info = fieldsOf(flat)
    local need = after(info['last-delivered-id'])
    if tonumber(info.pending) > 0 then need = redis.call('XPENDING', stream, info.name)[2] end
    if not floor or less(need, floor) then floor = need end
  end
  return floor
end

local function trim(stream)
  local floor = floorOf(stream)
  if not floor then return 0 end
  return redis.call('XTRIM', stream, 'MINID', floor)
end
`;

/** `now`: the server's clock in milliseconds. */
export const nowFunction = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function text(number) return string.format('%.0f', number) end
`;

/**
 * A script goes on past the server's memory limit once it has written something that takes none. Whatever settles, moves or
 * looks after what is stored begins so, as it is what makes room. `KEYS[1]` is a key that does not expire.
 */
export const pastLimit = `
redis.call('PERSIST', KEYS[1])
`;

/** What a script begins with that makes room, asks for the time and trims. */
export const opening = pastLimit + floorFunctions + nowFunction;

/**
 * tallyOf(stream, hash, prefix) reads how many messages the stream has had, from the fields `<prefix>t` and
 * `<prefix>last` of the hash. append(tally, messages, left, field, value …) adds an entry of `messages` messages, `left` of
 * them not settled, and answers its id or the error. keep(tally) writes the tally down: after the last append. addCounted does both,
 * and fails where it is refused.
 *
 * Ids are `<ms>-<total * 4096 + messages - 1>`, with the total of what was left, this entry's included: so what a group has
 * still to read is the stream's total less that of its last-delivered-id, and no payload is looked at for it. Where the
 * hash is gone, or others wrote to the stream, totals go on from its last id; `<prefix>since` is then that id, and entries
 * up to it count as one message each. Needs: now, text, split, fieldsOf.
 */
export const appendFunction = `
local tallies = {}

-- The totals of a stream that somebody else wrote to go on from its last id.
local function resume(tally)
  local info = fieldsOf(redis.call('XINFO', 'STREAM', tally.stream))
  local id = info['last-generated-id']
  local ms, seq = split(id)
  tally.total, tally.ms, tally.since = math.max(tally.total, math.floor(seq / 4096)), ms, id
end

local function tallyOf(stream, hash, prefix)
  local tally = tallies[stream]
  if tally then return tally end
  tally = { stream = stream, hash = hash, prefix = prefix, total = 0, ms = 0 }
  tallies[stream] = tally
  local known = redis.call('HMGET', hash, prefix .. 't', prefix .. 'last')
  if redis.call('EXISTS', stream) == 0 then
    tally.starts = true
  elseif known[1] and known[2] then
    tally.total, tally.ms = tonumber(known[1]), split(known[2])
  else
    resume(tally)
  end
  return tally
end

local function append(tally, messages, left, ...)
  for try = 1, 2 do
    local ms, total = math.max(now, tally.ms), tally.total + left
    local id = text(ms) .. '-' .. text(total * 4096 + messages - 1)
    local added = redis.pcall('XADD', tally.stream, id, ...)
    if type(added) ~= 'table' then
      tally.total, tally.ms, tally.last = total, ms, id
      return id
    end
    if try == 2 or not string.find(added.err, 'equal or smaller', 1, true) then return added end
    resume(tally)
  end
end

local function keep(tally)
  if not tally.last then return end
  local p = tally.prefix
  if tally.starts then redis.call('HDEL', tally.hash, p .. 'since', p .. 'cut') end
  redis.call('HSET', tally.hash, p .. 't', text(tally.total), p .. 'last', tally.last)
  if tally.since then redis.call('HSET', tally.hash, p .. 'since', tally.since) end
end

-- One entry, counted at once. Answers its id.
local function addCounted(tally, messages, left, ...)
  local id = append(tally, messages, left, ...)
  if type(id) == 'table' then error(id.err) end
  keep(tally)
  return id
end
`;

/**
 * comeBack(messages, settled, field, value …) adds what comes back to the group: an entry of so many messages, without the
 * parts that the list names. They count as settled from the beginning on. Needs: retry, state, parts, append.
 */
export const comeBackFunction = `
local function comeBack(messages, settled, ...)
  local id = addCounted(tallyOf(retry, state, 'r'), messages, math.max(1, messages - partsIn(settled)), ...)
  if settled ~= '' then redis.call('HSET', parts, 'R' .. id, settled) end
end
`;

/**
 * unburied(id, letter) takes a dead letter, by its fields, out of the counts of the group: `dead:<reason>` letters by reason
 * and `deadm` messages. Letters up to the one in `deadfrom` are not among these, nor any where the counts are gone: the server
 * evicted what counted them. Needs: state, partsIn, less.
 */
export const unburiedFunction = `
local function unburied(id, letter)
  local known = redis.call('HMGET', state, 'deadm', 'deadfrom')
  if not known[1] or known[2] and not less(known[2], id) then return end
  redis.call('HINCRBY', state, 'dead:' .. (letter.reason or 'unknown'), -1)
  redis.call('HINCRBY', state, 'deadm', -math.max(1, (tonumber(letter.m) or 1) - partsIn(letter.s or '')))
end
`;

/**
 * bury(messages, settled, reason, field, value …) adds a dead letter of so many messages, without the parts that the list
 * names, and counts it; what is beyond `maxDead` gives way to it, the oldest first, at most 1000 or about 1 MB at a
 * time, and counts as `outlived`. Trimmed first, as that makes room. Needs: dead, maxDead, state, unburied, fieldsOf.
 */
export const buryFunction = `
local outlived = 0

-- Without letters the counts begin anew. Letters that nothing counts any more are told from later ones by their ids.
local function beginCounting()
  if redis.call('XLEN', dead) == 0 then
    for _, name in ipairs(redis.call('HKEYS', state)) do
      if string.sub(name, 1, 4) == 'dead' then redis.call('HDEL', state, name) end
    end
  elseif not redis.call('HMGET', state, 'deadm')[1] then
    redis.call('HSET', state, 'deadfrom', fieldsOf(redis.call('XINFO', 'STREAM', dead))['last-generated-id'])
  end
end

local function bury(messages, settled, reason, ...)
  local excess, bytes = math.min(1000, redis.call('XLEN', dead) - maxDead + 1), 0
  while excess > 0 and bytes < 1000000 do
    for _, oldest in ipairs(redis.call('XRANGE', dead, '-', '+', 'COUNT', math.min(excess, 16))) do
      local letter = fieldsOf(oldest[2])
      unburied(oldest[1], letter)
      outlived = outlived + redis.call('XDEL', dead, oldest[1])
      excess, bytes = excess - 1, bytes + #(letter.f or '')
    end
  end
  beginCounting()
  local more = { ... }
  if messages > 1 then
    more[#more + 1] = 'm'
    more[#more + 1] = messages
  end
  more[#more + 1] = 'reason'
  more[#more + 1] = reason
  redis.call('XADD', dead, '*', unpack(more))
  redis.call('HINCRBY', state, 'dead:' .. reason, 1)
  redis.call('HINCRBY', state, 'deadm', math.max(1, messages - partsIn(settled)))
end
`;

/**
 * move(letter, id, fate) takes an entry from its consumer and gives it back to the group, by way of its retry stream, or to
 * the dead letters when its processes crashed too often. `fate`: `crashed`, `died` and `released` count one more crash,
 * death or release; `by` and `heard` tell which member died and when it was last heard, `begun` which parts of a bundle ran.
 * What becomes a dead letter counts as `crashedOut`, or, without a frame, as `unreadable`; what is gone, as `lost`.
 * Needs: stream keys `source` by letter, parts, group, maxCrashes, bury, comeBack.
 */
export const moveFunction = `
local lost, crashedOut, unreadable = 0, 0, 0
local function move(letter, id, fate)
  local key = source[letter]
  local found = redis.call('XRANGE', key, id, id)[1]
  if not found then
    redis.call('XACK', key, group, id)
    redis.call('HDEL', parts, letter .. id)
    lost = lost + 1
    return
  end
  local entry = fieldsOf(found[2])
  local frame = entry.f
  local origin = entry.o or id
  local failures, crashes = tonumber(entry.a) or 0, (tonumber(entry.c) or 0) + (fate.crashed or 0)
  local deaths = (tonumber(entry.u) or 0) + (fate.died or 0)
  local releases, replays = (tonumber(entry.n) or 0) + (fate.released or 0), tonumber(entry.r) or 0
  local settled = redis.call('HGET', parts, letter .. id) or entry.s or ''
  if not frame or crashes >= maxCrashes then
    local reason = frame and 'crashes' or 'undecodable'
    bury(messagesOf(id), settled, reason, 'f', frame or table.concat(found[2], ' '), 'attempts', failures + crashes + releases,
      'at', text(now), 'o', origin, 'r', replays, 's', settled, 'crashes', crashes, 'by', fate.by or '', 'heard', fate.heard or '')
    if frame then crashedOut = crashedOut + 1 else unreadable = unreadable + 1 end
  else
    comeBack(messagesOf(id), settled, 'f', frame, 'a', failures, 'c', crashes, 'n', releases, 'o', origin,
      'x', entry.x or '', 'r', replays, 's', settled, 'u', deaths, 'b', fate.begun or '', 'w', entry.w or '')
  end
  redis.call('XACK', key, group, id)
  redis.call('HDEL', parts, letter .. id)
end

-- Whether the consumer holds nothing any more, and so is gone.
local function retire(consumer)
  for _, key in pairs(source) do
    if #redis.call('XPENDING', key, group, '-', '+', 1, consumer) > 0 then return false end
  end
  for _, key in pairs(source) do redis.call('XGROUP', 'DELCONSUMER', key, group, consumer) end
  redis.call('ZREM', members, consumer)
  redis.call('HDEL', state, 'running:' .. consumer, 'info:' .. consumer)
  return true
end
`;

/**
 * fates(consumer): what a member that died was running, as it has told in its mark, for `move`. What ran counts one crash.
 * What had not begun counts one death; what ran beside a suspect that was tried alone counts two, as it may have been the
 * reason as well.
 * Needs: members, state, claimAfter.
 */
export const fatesFunction = `
local function fates(consumer)
  local mark = redis.call('HGET', state, 'running:' .. consumer) or '*'
  local spared = string.sub(mark, 1, 1) == '-'
  if spared then mark = string.sub(mark, 2) end
  local ran = {}
  for key, part in string.gmatch(mark, '([SR]%d+-%d+)#?(%d*)') do
    ran[key] = part == '' and '' or (ran[key] and ran[key] .. ',' .. part or part)
  end
  local heard = redis.call('ZSCORE', members, consumer)
  heard = heard and text(tonumber(heard) - claimAfter) or ''
  return function(key)
    local begun = mark == '*' and '' or ran[key]
    if not begun then return { died = 1 } end
    if spared then return { died = 2 } end
    return { crashed = 1, by = consumer, heard = heard, begun = begun }
  end
end
`;

/**
 * expireUnread(stream, later, bodies, age): what no group reads is kept for `age` ms more; what is delayed, for so long after the
 * last of it is due. Needs: now.
 */
export const expireUnreadFunction = `
local function expireUnread(stream, later, bodies, age)
  redis.call('PEXPIRE', stream, age)
  redis.call('PEXPIRE', stream .. ':counts', age)
  local last = tonumber(redis.call('ZRANGE', later, -1, -1, 'WITHSCORES')[2])
  if not last then return end
  local left = text(math.max(0, last - now) + age)
  redis.call('PEXPIRE', later, left)
  redis.call('PEXPIRE', bodies, left)
end
`;

/**
 * promote(set, bodies, store) hands what has come due to store(messages, settled, field, value …), unless its time to live is
 * over, at most 256 at a time, and returns when the next is due, and how many messages were dropped for their time to live.
 * What the server has evicted of it counts as `vanished`.
 * Needs: now, fieldsOf, partsIn. storeOf(stream) is the store of a topic. Needs: addCounted.
 */
export const promoteFunction = `
local vanished = 0
local function storeOf(stream)
  return function(messages, _, ...) addCounted(tallyOf(stream, stream .. ':counts', ''), messages, messages, ...) end
end

local function promote(set, bodies, store)
  local first = tonumber(redis.call('ZRANGE', set, 0, 0, 'WITHSCORES')[2])
  if not first or first > now then return first, 0 end
  local expired = 0
  local members = redis.call('ZRANGEBYSCORE', set, '-inf', now, 'LIMIT', 0, 256)
  for _, member in ipairs(members) do
    local packed = redis.call('HGET', bodies, member)
    if packed then
      local fields = cmsgpack.unpack(packed)
      local named = fieldsOf(fields)
      local expires, messages = tonumber(named.x), tonumber(named.m) or 1
      if not expires or expires > now then store(messages, named.s or '', unpack(fields))
      else expired = expired + math.max(1, messages - partsIn(named.s or '')) end
      redis.call('HDEL', bodies, member)
    else
      vanished = vanished + 1
    end
    redis.call('ZREM', set, member)
  end
  -- With the last one goes the number of the next, which is all that is left.
  if #members > 0 and redis.call('EXISTS', set) == 0 and redis.call('HLEN', bodies) <= 1 then redis.call('DEL', bodies) end
  return tonumber(redis.call('ZRANGE', set, 0, 0, 'WITHSCORES')[2]), expired
end
`;

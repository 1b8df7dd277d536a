/**
 * Lua functions that several scripts begin with. Ids are compared as pairs of numbers.
 *
 * floorOf(stream): the lowest id that some group is not done with; nil while there is no group.
 */
export const floorFunctions = `
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

local function before(id)
  local ms, seq = split(id)
  if seq > 0 then return string.format('%.0f-%.0f', ms, seq - 1) end
  if ms == 0 then return '0-0' end
  return string.format('%.0f-18446744073709551615', ms - 1)
end

local function fieldsOf(flat)
  local fields = {}
  for i = 1, #flat, 2 do fields[flat[i]] = flat[i + 1] end
  return fields
end

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

/**
 * A script goes on past the server's memory limit once it has written something that takes none. Whatever settles, moves or
 * looks after what is stored begins so, as it is what makes room. \`KEYS[1]\` is a key that does not expire.
 */
export const pastLimit = `
redis.call('PERSIST', KEYS[1])
`;

/** How long what nobody stored messages in is kept after its last use: marks that are made again, and who was a member. Milliseconds. */
export const DAY_MS = 86_400_000;

/** How long the lists of topics and of patterns are kept after the last use of any of them. Milliseconds. */
export const LISTS_KEPT_MS = 30 * DAY_MS;

/** \`now\`: the server's clock in milliseconds. */
export const nowFunction = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function text(number) return string.format('%.0f', number) end
`;

/**
 * bury(field, value …) adds a dead letter; what is beyond \`maxDead\` gives way to it, the oldest first, at most 1000 at a
 * time, and counts as \`outlived\`. Trimmed first, as that makes room. Needs: dead, maxDead.
 */
export const buryFunction = `
local outlived = 0
local function bury(...)
  local count = redis.call('XLEN', dead)
  if count >= maxDead then
    outlived = outlived + redis.call('XTRIM', dead, 'MAXLEN', math.max(maxDead - 1, count - 1000))
  end
  redis.call('XADD', dead, '*', ...)
end
`;

/**
 * move(letter, id, fate) takes an entry from its consumer and gives it back to the group, by way of its retry stream, or to
 * the dead letters when its processes crashed too often. \`fate\`: \`crashed\`, \`died\` and \`released\` count one more crash,
 * death or release; \`by\` and \`heard\` tell which member died and when it was last heard, \`begun\` which parts of a bundle ran.
 * Needs: stream keys \`source\` by letter, retry, parts, group, maxCrashes, bury.
 */
export const moveFunction = `
local lost, crashedOut = 0, 0
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
    bury('f', frame or table.concat(found[2], ' '), 'reason', reason, 'attempts', failures + crashes + releases,
      'at', text(now), 'o', origin, 'r', replays, 's', settled, 'crashes', crashes, 'by', fate.by or '', 'heard', fate.heard or '')
    if frame then crashedOut = crashedOut + 1 end
  else
    redis.call('XADD', retry, '*', 'f', frame, 'a', failures, 'c', crashes, 'n', releases, 'o', origin,
      'x', entry.x or '', 'r', replays, 's', settled, 'u', deaths, 'b', fate.begun or '')
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
  redis.call('HDEL', state, 'running:' .. consumer)
  return true
end
`;

/**
 * fates(consumer): what a member that died was running, as it has told in its mark, for \`move\`. What ran counts one crash.
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
 * expireUnread(stream, later, bodies, age): what no group reads is kept for \`age\` ms more; what is delayed, for so long after the
 * last of it is due. Needs: now.
 */
export const expireUnreadFunction = `
local function expireUnread(stream, later, bodies, age)
  redis.call('PEXPIRE', stream, age)
  local last = tonumber(redis.call('ZRANGE', later, -1, -1, 'WITHSCORES')[2])
  if not last then return end
  local left = text(math.max(0, last - now) + age)
  redis.call('PEXPIRE', later, left)
  redis.call('PEXPIRE', bodies, left)
end
`;

/**
 * promote(set, bodies, stream) moves what has come due into the stream, unless its time to live is over, at most 256 at a
 * time, and returns when the next is due. What the server has evicted of it counts as \`vanished\`.
 */
export const promoteFunction = `
local vanished = 0
local function promote(set, bodies, stream)
  local first = tonumber(redis.call('ZRANGE', set, 0, 0, 'WITHSCORES')[2])
  if not first or first > now then return first end
  local members = redis.call('ZRANGEBYSCORE', set, '-inf', now, 'LIMIT', 0, 256)
  for _, member in ipairs(members) do
    local packed = redis.call('HGET', bodies, member)
    if packed then
      local fields = cmsgpack.unpack(packed)
      local expires = tonumber(fieldsOf(fields).x)
      if not expires or expires > now then redis.call('XADD', stream, '*', unpack(fields)) end
      redis.call('HDEL', bodies, member)
    else
      vanished = vanished + 1
    end
    redis.call('ZREM', set, member)
  end
  -- With the last one goes the number of the next, which is all that is left.
  if #members > 0 and redis.call('EXISTS', set) == 0 and redis.call('HLEN', bodies) <= 1 then redis.call('DEL', bodies) end
  return tonumber(redis.call('ZRANGE', set, 0, 0, 'WITHSCORES')[2])
end
`;

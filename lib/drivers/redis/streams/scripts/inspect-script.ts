import * as lua from './shared-lua.js';

/**
 * What a topic holds, and where its groups are. Writes nothing, and answers no payload. The second half of an entry's id holds
 * a running total of messages, so what a group has not read is a difference, whatever was trimmed below.
 *
 * KEYS: stream, later, counts; the keys of the groups, whose names are found there, are of the same slot. ARGV: 1 to count bytes
 * as well.
 * Answers: nothing where the topic is not there, else JSON; empty lists in it are objects.
 */
export const inspectScript =
  lua.idFunctions +
  lua.nowFunction +
  `
local function timeOf(id) return (split(id)) end

-- What is known of the totals in a stream's ids. Entries up to \`since\` carry none.
local function countsOf(length, total, last, since, cut)
  return { length = length, total = tonumber(total) or 0, known = total and true or length == 0, last = last,
    since = since and since ~= '0-0' and since or nil, cut = tonumber(cut) or 0 }
end

local function isCoded(tally, id)
  if not tally.known or tally.last and less(tally.last, id) then return false end
  if not tally.since or less(tally.since, id) then return true end
  local _, seq = split(id)
  return seq >= 4096 and id == tally.since
end

-- How much of a stream a group has not read, and up to which total it has, where that can be told.
local function unread(tally, info)
  local position = info['last-delivered-id']
  if isCoded(tally, position) or tally.length == 0 then
    local base = math.max(totalOf(position), tally.cut)
    if tally.length == 0 then return 0, base end
    return math.max(0, tally.total - base), base
  end
  return tonumber(info.lag) or tally.length, nil
end

-- The first entry behind a position. Its fields go no further than here.
local seen = {}
local function nextTime(stream, position)
  local name = stream .. ' ' .. position
  if seen[name] == nil then
    local found = redis.call('XRANGE', stream, after(position), '+', 'COUNT', 1)[1]
    seen[name] = found and timeOf(found[1]) or false
  end
  return seen[name] or nil
end

local function least(a, b)
  if not a or not b then return a or b end
  return math.min(a, b)
end

-- What members of a group hold of one of its streams, each message counted: by member, and the first of it.
local function held(letter, stream, group, tally, into)
  local settled, from = fieldsOf(redis.call('HGETALL', KEYS[1] .. ':parts:' .. group)), '-'
  repeat
    local page = redis.call('XPENDING', stream, group, from, '+', 1000)
    for _, pending in ipairs(page) do
      local id, consumer = pending[1], pending[2]
      local messages = messagesOf(id)
      if not isCoded(tally, id) then
        into.exact = false
        if letter == 'S' then into.isKnown = false end
      end
      into.first[letter] = into.first[letter] or timeOf(id)
      local left = math.max(0, messages - partsIn(settled[letter .. id] or ''))
      into.byMember[consumer] = (into.byMember[consumer] or 0) + left
      if letter == 'S' then into.ids[id] = messages end
      from = after(id)
    end
  until #page < 1000
end

-- Letters of which the counts are gone are told as one message each.
local function deadLetters(state, key)
  local entries, counted, reasons = redis.call('XLEN', key), 0, {}
  if entries == 0 then return { entries = 0, messages = 0, reasons = {} }, true end
  for name, value in pairs(state) do
    local count = string.sub(name, 1, 5) == 'dead:' and tonumber(value) or 0
    if count > 0 then
      reasons[#reasons + 1] = { string.sub(name, 6), count }
      counted = counted + count
    end
  end
  local exact = counted == entries
  return { entries = entries, messages = exact and tonumber(state.deadm) or entries, reasons = reasons }, exact
end

local function membersOf(key, state, byMember)
  local members, rest = {}, {}
  for name, count in pairs(byMember) do rest[name] = count end
  local alive = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
  for i = 1, #alive, 2 do
    local name = alive[i]
    members[#members + 1] = { id = name, aliveUntil = tonumber(alive[i + 1]), held = rest[name] or 0, info = state['info:' .. name] }
    rest[name] = nil
  end
  for name, count in pairs(rest) do
    if count > 0 then members[#members + 1] = { id = name, held = count, info = state['info:' .. name] } end
  end
  return members
end

local function groupOf(stream, topic, info)
  local name, retry = info.name, stream .. ':retry:' .. info.name
  local state = fieldsOf(redis.call('HGETALL', stream .. ':state:' .. name))
  local holding = { exact = true, isKnown = true, byMember = {}, first = {}, ids = {} }
  local waiting, base = unread(topic, info)
  local exact, first = base ~= nil, nil
  if tonumber(info.pending) > 0 then held('S', stream, name, topic, holding) end
  local oldest = holding.first.S
  if not oldest and waiting > 0 then oldest = nextTime(stream, info['last-delivered-id']) end
  first = oldest
  local groups = redis.pcall('XINFO', 'GROUPS', retry)
  for _, flat in ipairs(groups.err and {} or groups) do
    local back = fieldsOf(flat)
    if back.name == name then
      local tally = countsOf(redis.call('XLEN', retry), state.rt, state.rlast, state.rsince)
      local returned, known = unread(tally, back)
      if tonumber(back.pending) > 0 then held('R', retry, name, tally, holding) end
      waiting, exact = waiting + returned, exact and known ~= nil
      first = least(first, holding.first.R)
      if not holding.first.R and returned > 0 then first = least(first, nextTime(retry, back['last-delivered-id'])) end
    end
  end
  local delayed = stream .. ':delayed:' .. name
  local letters, counted = deadLetters(state, stream .. ':dead:' .. name)
  return {
    group = name, waiting = waiting, oldestUnhandledAt = first, exact = exact and counted and holding.exact,
    retries = redis.call('ZCARD', delayed), nextRetryAt = tonumber(redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')[2]),
    letters = letters, paused = state.paused ~= nil, limit = tonumber(state.limit), position = info['last-delivered-id'], lastReadAt = tonumber(state.at),
    members = membersOf(stream .. ':members:' .. name, state, holding.byMember),
  }, holding.isKnown and base or nil, oldest, holding.ids
end

local stream, later, counts = KEYS[1], KEYS[2], KEYS[3]
if redis.call('EXISTS', stream, later) == 0 then return false end
local length = redis.call('XLEN', stream)
local known = redis.call('HMGET', counts, 't', 'last', 'since', 'cut')
local topic = countsOf(length, known[1] or nil, known[2] or nil, known[3] or nil, known[4] or nil)
local infos = redis.pcall('XINFO', 'GROUPS', stream)
if infos.err then infos = {} end

local groups, exact, base, position, oldest, pending = {}, true, nil, nil, nil, {}
for _, flat in ipairs(infos) do
  local info = fieldsOf(flat)
  local group, read, first, ids = groupOf(stream, topic, info)
  groups[#groups + 1] = group
  exact = exact and read ~= nil
  base, oldest = least(base, read), least(oldest, first)
  for id, messages in pairs(ids) do pending[id] = messages end
  local last = info['last-delivered-id']
  if not position or less(last, position) then position = last end
end

-- What some group has not read, and of what all have read, what some member holds.
local messages = 0
if #groups == 0 then
  local found = length > 0 and redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
  if found then
    oldest, exact = timeOf(found[1]), isCoded(topic, found[1])
    messages = topic.total - totalOf(found[1]) + messagesOf(found[1])
  end
elseif exact then
  messages = length == 0 and 0 or math.max(0, topic.total - base)
  for id, count in pairs(pending) do
    if not less(position, id) and totalOf(id) > topic.cut then messages = messages + count end
  end
end
if not exact then messages = length end

local bytes
if ARGV[1] == '1' then
  local keys = { stream, later, stream .. ':later-bodies', counts }
  for _, group in ipairs(groups) do
    for _, role in ipairs({ 'retry', 'delayed', 'delayed-bodies', 'dead', 'parts', 'members', 'state' }) do
      keys[#keys + 1] = stream .. ':' .. role .. ':' .. group.group
    end
  end
  for _, key in ipairs(keys) do
    local usage = redis.pcall('MEMORY', 'USAGE', key)
    if type(usage) == 'number' then bytes = (bytes or 0) + usage
    elseif usage then
      bytes = nil
      break
    end
  end
end
return cjson.encode({
  at = now, messages = messages, entries = length, exact = exact, bytes = bytes, published = topic.known and topic.total or length, oldestAt = oldest,
  delayed = redis.call('ZCARD', later), nextDueAt = tonumber(redis.call('ZRANGE', later, 0, 0, 'WITHSCORES')[2]),
  overdue = redis.call('ZCOUNT', later, '-inf', '(' .. text(now)), groups = groups,
})
`;

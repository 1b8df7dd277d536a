import {
  appendFunction,
  buryFunction,
  comeBackFunction,
  floorFunctions,
  nowFunction,
  pastLimit,
  unburiedFunction,
} from './shared-lua.js';

const settle = `
local group, consumer, deletes, maxDead = ARGV[1], ARGV[2], ARGV[3] == '1', tonumber(ARGV[4])
local streams = { S = KEYS[1], R = KEYS[2] }
local delayed, bodies, dead, parts, state = KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7]
local retry = KEYS[2]
local failed, acks = {}, { S = {}, R = {} }
`;

const steps = `
local function ours(letter, id)
  local pending = redis.pcall('XPENDING', streams[letter], group, id, id, 1, consumer)
  return not pending.err and pending[1] ~= nil
end

-- Deleted at once when every group is done with it, where the server can; otherwise trimming finds it later.
local function acknowledge(letter, ids)
  local key = streams[letter]
  if deletes then
    local done = redis.pcall('XACKDEL', key, group, 'ACKED', 'IDS', #ids, unpack(ids))
    if not done.err then return end
  end
  redis.call('XACK', key, group, unpack(ids))
end

-- The parts of an entry that are settled, read once: in a set, and as the text that is kept.
local read = {}
local function settledParts(letter, id, told)
  local name = letter .. id
  local settled = read[name]
  if not settled then
    settled = { known = {}, text = redis.call('HGET', parts, name) or '' }
    for part in string.gmatch(settled.text, '%d+') do settled.known[part] = true end
    read[name] = settled
  end
  local fresh = {}
  for part in string.gmatch(told, '%d+') do
    if not settled.known[part] then
      settled.known[part] = true
      fresh[#fresh + 1] = part
    end
  end
  local more = table.concat(fresh, ',')
  if more ~= '' then settled.text = settled.text == '' and more or settled.text .. ',' .. more end
  return settled
end

local function again(delay, messages, settled, fields)
  if delay <= 0 then return comeBack(messages, settled, unpack(fields)) end
  if messages > 1 then
    fields[#fields + 1] = 'm'
    fields[#fields + 1] = messages
  end
  local member = string.format('%016d', redis.call('HINCRBY', bodies, 'n', 1))
  redis.call('HSET', bodies, member, cmsgpack.pack(fields))
  redis.call('ZADD', delayed, now + delay, member)
end

-- One retry or dead letter. A part that was settled before is told by the list: a repeated call does nothing to it.
local function giveAway(kind, letter, id, part, told, delay, reason, fields)
  local settled = settledParts(letter, id, told)
  if part ~= '' and settled.known[part] then return end
  local messages, without = 1, ''
  if part == '' then messages, without = messagesOf(id), settled.text end
  if without ~= '' then
    fields[#fields + 1] = 's'
    fields[#fields + 1] = without
  end
  if kind == 'r' then again(delay, messages, without, fields) else bury(messages, without, reason, 'at', text(now), unpack(fields)) end
  if part == '' then
    acknowledge(letter, { id })
    redis.call('HDEL', parts, letter .. id)
  else
    redis.call('HSET', parts, letter .. id, settledParts(letter, id, part).text)
  end
end

local at, number = 5, 0
while at <= #ARGV do
  local kind, letter, id = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  local mine = ours(letter, id)
  if not mine then failed[#failed + 1] = number end
  if kind == 'a' or kind == 'A' then
    if mine then
      local list = acks[letter]
      list[#list + 1] = id
      if kind == 'A' then redis.call('HDEL', parts, letter .. id) end
    end
    at = at + 3
  elseif kind == 'p' then
    if mine then redis.call('HSET', parts, letter .. id, settledParts(letter, id, ARGV[at + 3]).text) end
    at = at + 4
  else
    local part, told, delay, reason, first = ARGV[at + 3], ARGV[at + 4], tonumber(ARGV[at + 5]), ARGV[at + 6], at + 8
    at = first + tonumber(ARGV[at + 7])
    if mine then giveAway(kind, letter, id, part, told, delay, reason, { unpack(ARGV, first, at - 1) }) end
  end
  number = number + 1
end
for letter, list in pairs(acks) do
  for i = 1, #list, 1000 do
    acknowledge(letter, { unpack(list, i, math.min(i + 999, #list)) })
  end
end
return { failed, outlived }
`;

/**
 * Settles what one consumer holds, and answers the numbers of those that it does not hold (any more), which are left alone,
 * and how many dead letters gave way to newer ones.
 * May be sent again after a lost reply: nothing is doubled.
 *
 * KEYS: stream, retry stream, delayed, their bodies, dead letters, settled parts, state. ARGV: group, consumer,
 * 1 to delete what all groups are done with, most dead letters that are kept; then \`a|A stream id\` (acknowledged; A has settled parts), \`p stream id list\`
 * (parts acknowledged since the last time),
 * \`r|d stream id part list delay reason n field value …\` (retry, dead letter with its reason; of a part or, with none,
 * of all; list as before).
 * \`stream\` is S or R; n counts fields and values.
 */
export const settleScript =
  pastLimit +
  floorFunctions +
  nowFunction +
  settle +
  appendFunction +
  comeBackFunction +
  unburiedFunction +
  buryFunction +
  steps;

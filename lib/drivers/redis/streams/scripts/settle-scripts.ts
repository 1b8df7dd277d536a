import * as lua from './shared-lua.js';

/**
 * Records outcomes of what one consumer holds. May be sent again after a lost reply: nothing is done twice.
 *
 * KEYS: stream, retry stream, delayed, their bodies, dead letters, settled parts, state.
 * ARGV: group, consumer, 1 to delete what all groups are done with, most dead letters that are kept. Then, where `stream` is
 * S or R and `n` counts fields and values:
 * - `a|A stream id`: acknowledged; A has settled parts;
 * - `p stream id list`: parts that were acknowledged since the last time;
 * - `r|d stream id part list delay reason n field value …`: a retry, or a dead letter with its reason; of one part, or, where
 *   `part` is empty, of the whole entry; `list` as before.
 * Answers: the numbers of the outcomes whose entry the consumer does not hold (any more), which are left alone; how many dead
 * letters gave way to newer ones.
 */
export const settleScript =
  lua.opening +
  `
local group, consumer, deletes, maxDead = ARGV[1], ARGV[2], ARGV[3] == '1', tonumber(ARGV[4])
local streams = { S = KEYS[1], R = KEYS[2] }
local delayed, bodies, dead, parts, state = KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7]
local retry = KEYS[2]
local failed, acks = {}, { S = {}, R = {} }
` +
  lua.appendFunction +
  lua.comeBackFunction +
  lua.unburiedFunction +
  lua.buryFunction +
  `
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
 * Gives entries back to the group at once; no crash is counted. A consumer that leaves gives up all that it holds (at most
 * 1,000 of each stream in one call), and is deleted once it holds nothing.
 *
 * KEYS: stream, retry stream, state, members, dead letters, parts.
 * ARGV: group, consumer, 1 if it leaves, most dead letters that are kept; then `stream id begun` of entries, where `begun` is 1
 * if the handler was given the entry.
 * Answers: entries moved, entries lost, dead letters that gave way to newer ones, entries that became dead letters as they
 * hold no frame.
 */
export const releaseScript =
  lua.opening +
  `
local stream, retry, state, members, dead, parts = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local group, consumer, leaves, maxDead = ARGV[1], ARGV[2], ARGV[3] == '1', tonumber(ARGV[4])
local maxCrashes = math.huge
local source = { S = stream, R = retry }
` +
  lua.appendFunction +
  lua.comeBackFunction +
  lua.unburiedFunction +
  lua.buryFunction +
  lua.moveFunction +
  `
for _, key in pairs(source) do
  local summary = redis.pcall('XPENDING', key, group)
  if summary.err then return { 0, 0, 0, 0 } end
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
return { moved, lost, outlived, unreadable }
`;

/**
 * What a consumer holds.
 *
 * KEYS: stream, retry stream. ARGV: group, consumer.
 * Answers: `S<id>` and `R<id>`, at most 10,000 of each.
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
 * The fields of entries, without counting a delivery. An entry that was trimmed away is acknowledged.
 *
 * KEYS: stream, retry stream, parts. ARGV: group, then `S<id>` and `R<id>`.
 * Answers for each: its name, its fields (none where it was trimmed away), the parts that are settled.
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

/**
 * Makes the stream by which a reader's blocking reads are ended. PEXPIRE takes no memory, and Redis lets what follows it in a
 * script pass its memory limit.
 *
 * KEYS: the stream. ARGV: group, ms that the stream lives.
 * Errors: what Redis answers to XGROUP CREATE, unless the group is there.
 */
export const openWakeScript = `
redis.call('PEXPIRE', KEYS[1], ARGV[2])
local made = redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[1], '$', 'MKSTREAM')
if made.err and not string.find(made.err, 'BUSYGROUP', 1, true) then return redis.error_reply(made.err) end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
`;

/**
 * Ends a blocking read. PEXPIRE comes first for the same reason.
 *
 * KEYS: the stream. ARGV: ms that the stream lives.
 */
export const wakeScript = `
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return redis.call('XADD', KEYS[1], 'MAXLEN', 1, '*', 'w', 1)
`;

import * as lua from './shared-lua.js';

/** positionOf(stream, group): the group's last-delivered-id; nil where the stream has no such group. Needs: fieldsOf. */
const positionFunction = `
local function positionOf(stream, group)
  local groups = redis.pcall('XINFO', 'GROUPS', stream)
  if groups.err then return nil end
  for _, flat in ipairs(groups) do
    local info = fieldsOf(flat)
    if info.name == group then return info['last-delivered-id'] end
  end
end
`;

/**
 * Sets what the members of a group go by: `paused` and `limit`, an empty value for none.
 *
 * KEYS: stream, state. ARGV: group, then field and value of each.
 * Answers: 1 if that changed anything, 0 if not, -1 without such a group.
 */
export const setGroupScript =
  lua.pastLimit +
  lua.floorFunctions +
  positionFunction +
  `
local stream, state = KEYS[1], KEYS[2]
if not positionOf(stream, ARGV[1]) then return -1 end
local changed = 0
for i = 2, #ARGV, 2 do
  local before = redis.call('HGET', state, ARGV[i]) or ''
  if before ~= ARGV[i + 1] then
    changed = 1
    if ARGV[i + 1] == '' then redis.call('HDEL', state, ARGV[i]) else redis.call('HSET', state, ARGV[i], ARGV[i + 1]) end
  end
end
return changed
`;

/**
 * What the live members of a group say of themselves.
 *
 * KEYS: members, state. Answers: the JSON of each, empty for one that has said nothing yet.
 */
export const memberReportsScript = `${lua.nowFunction}
local found = {}
for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], now, '+inf')) do
  found[#found + 1] = redis.call('HGET', KEYS[2], 'info:' .. name) or ''
end
return found
`;

/**
 * Moves a group.
 *
 * KEYS: stream, state, members, retry stream. ARGV: group, `end` or anything else, the id to begin at, 1 to skip messages.
 * Answers: `moved`, how many messages further (back where that is negative), and the new last-delivered-id.
 * Errors: `none` without such a group; `members` and how many where it is not paused; `loses` and how many messages would be
 * skipped.
 */
export const seekScript =
  lua.opening +
  positionFunction +
  `
local stream, state, members, retry = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local group, kind, target, skip = ARGV[1], ARGV[2], ARGV[3], ARGV[4] == '1'
local position = positionOf(stream, group)
if not position then return { 'none' } end
local alive = redis.call('ZCOUNT', members, now, '+inf')
if alive > 0 and redis.call('HGET', state, 'paused') ~= '1' then return { 'members', alive } end
local counts = redis.call('HMGET', stream .. ':counts', 't', 'cut')
local last = fieldsOf(redis.call('XINFO', 'STREAM', stream))['last-generated-id']
local new = last
if kind ~= 'end' then
  local first = redis.call('XRANGE', stream, target, '+', 'COUNT', 1)[1]
  if first then new = before(first[1]) end
end
local from = math.max(totalOf(position), tonumber(counts[2]) or 0)
local moved = totalOf(new) - from
-- What others wrote is in no total.
if less(position, new) and moved <= 0 and redis.call('XRANGE', stream, after(position), new, 'COUNT', 1)[1] then moved = 1 end
if less(position, new) and moved > 0 and not skip then return { 'loses', moved } end
if new ~= position then
  redis.call('XGROUP', 'SETID', stream, group, new)
  redis.call('HSET', state, 'cp', new)
  redis.call('HINCRBY', state, 'moves', 1)
end
return { 'moved', moved, new }
`;

/**
 * Drops what waits for a group: what nobody has read, and retries.
 *
 * KEYS: stream, retry stream, state, delayed, bodies. ARGV: group.
 * Answers: how many messages, or -1 without such a group.
 */
export const purgeGroupScript =
  lua.pastLimit +
  lua.floorFunctions +
  positionFunction +
  `
local stream, retry, state, delayed, bodies = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local group = ARGV[1]
local position = positionOf(stream, group)
if not position then return -1 end
local messages = 0
local function drop(key, hash, prefix)
  local from = positionOf(key, group)
  if not from then return end
  local known = redis.call('HMGET', hash, prefix .. 't', prefix .. 'cut')
  local last = fieldsOf(redis.call('XINFO', 'STREAM', key))['last-generated-id']
  local total = tonumber(known[1]) or totalOf(last)
  messages = messages + math.max(0, total - math.max(totalOf(from), tonumber(known[2]) or 0))
  redis.call('XGROUP', 'SETID', key, group, last)
  trim(key)
  return last
end
local last = drop(stream, stream .. ':counts', '')
redis.call('HSET', state, 'cp', last)
drop(retry, state, 'r')
messages = messages + redis.call('ZCARD', delayed)
redis.call('DEL', delayed, bodies)
redis.call('HDEL', state, 'waiting')
return messages
`;

/**
 * Drops a topic that no group reads.
 *
 * KEYS: stream, later, its bodies.
 * Answers: `purged` and how many messages. Errors: `groups` and the name of one that reads it.
 */
export const purgeTopicScript =
  lua.floorFunctions +
  `
local stream, later, bodies = KEYS[1], KEYS[2], KEYS[3]
local groups = redis.pcall('XINFO', 'GROUPS', stream)
if not groups.err and #groups > 0 then return { 'groups', groups[1][2] } end
local messages = redis.call('ZCARD', later)
local first = redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
if first then
  local last = fieldsOf(redis.call('XINFO', 'STREAM', stream))['last-generated-id']
  local total = tonumber(redis.call('HGET', stream .. ':counts', 't')) or math.max(totalOf(last), redis.call('XLEN', stream))
  messages = messages + total - math.max(0, totalOf(first[1]) - messagesOf(first[1]))
end
redis.call('DEL', stream, stream .. ':counts', later, bodies)
return { 'purged', messages }
`;

/**
 * Delayed publishes.
 *
 * KEYS: later, its bodies. ARGV: how many to leave out, how many at most.
 * Answers for each: its name, when it is due, its frame.
 */
export const delayedScript = `
local found = {}
local page = redis.call('ZRANGE', KEYS[1], ARGV[1], ARGV[1] + ARGV[2] - 1, 'WITHSCORES')
for i = 1, #page, 2 do
  local packed = redis.call('HGET', KEYS[2], page[i])
  local fields, frame = packed and cmsgpack.unpack(packed) or {}, ''
  for at = 1, #fields, 2 do
    if fields[at] == 'f' then frame = fields[at + 1] end
  end
  found[#found + 1] = { page[i], page[i + 1], frame }
end
return found
`;

/**
 * Makes a delayed publish due now.
 *
 * KEYS: later. ARGV: its name. Answers: 1 if it was there, else 0.
 */
export const dueNowScript = `${lua.pastLimit}${lua.nowFunction}
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 0 end
redis.call('ZADD', KEYS[1], 'XX', 0, ARGV[1])
return 1
`;

/**
 * Deletes a delayed publish.
 *
 * KEYS: later, its bodies. ARGV: its name. Answers: 1 if it was there, else 0.
 */
export const removeDelayedScript = `
redis.call('HDEL', KEYS[2], ARGV[1])
local there = redis.call('ZREM', KEYS[1], ARGV[1])
if redis.call('EXISTS', KEYS[1]) == 0 and redis.call('HLEN', KEYS[2]) <= 1 then redis.call('DEL', KEYS[2]) end
return there
`;

/**
 * Writes down what an operator did.
 *
 * KEYS: audit stream. ARGV: how many are kept, then field and value of each. Answers: the id of the entry.
 */
export const auditScript = `
local id = redis.call('XADD', KEYS[1], 'MAXLEN', ARGV[1], '*', unpack(ARGV, 2))
redis.call('PEXPIRE', KEYS[1], ${lua.LISTS_KEPT_MS})
return id
`;

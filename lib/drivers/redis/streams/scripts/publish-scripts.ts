import * as lua from './shared-lua.js';

/**
 * Stores the messages of one batch in order. What one topic refuses does not affect the others. A batch that was stored
 * before is not stored again: the publisher's log answers for it.
 *
 * KEYS: the publisher's log, then the keys that the messages name by their number.
 * ARGV: number of the batch, ms that the log lives, ms that an id is remembered, most entries of a stream, 1 to drop the
 * oldest; for streams that no group reads: most entries, most bytes, most ms. Then for each message `p stream frame`, for
 * a bundle `b stream frame messages`, or `o stream later bodies dedup frame delay ttl` (0: none).
 * Answers: streams that entries were dropped from, each with how many; streams that were not there before; streams that no
 * group reads; then for each message its id, `=` and the id for a duplicate, or `@` for a delayed one.
 * Errors: in place of the id, `!` when the stream is full, or `-` and what Redis answered.
 *
 * The key `<stream>:read` marks a stream that a group has read; `openScript` sets it as well.
 */
export const publishScript =
  `
local known = redis.call('GET', KEYS[1])
if known then
  local earlier = cmsgpack.unpack(known)
  if earlier[1] == ARGV[1] then return earlier[2] end
end
` +
  lua.floorFunctions +
  lua.nowFunction +
  lua.appendFunction +
  lua.expireUnreadFunction +
  `
local window, max, drop = ARGV[3], tonumber(ARGV[4]), ARGV[5] == '1'
local unreadMax, unreadBytes, unreadAge = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local lengths, trimmed, dropped, made, unread, nobody = {}, {}, {}, {}, {}, {}

local function shorten(stream, ...)
  local gone = redis.call('XTRIM', stream, ...)
  if gone > 0 then
    dropped[#dropped + 1] = stream
    dropped[#dropped + 1] = gone
    -- Nobody will read the messages up to this total.
    local first = redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
    local tally = tallyOf(stream, stream .. ':counts', '')
    tally.cut = first and totalOf(first[1]) - messagesOf(first[1]) or tally.total
  end
  return gone
end

-- Whether no group reads the stream. Groups leave a mark for a day, so that they need not be counted for each batch.
local function isUnread(stream)
  if redis.call('EXISTS', stream .. ':read') == 1 then return false end
  local groups = redis.pcall('XINFO', 'GROUPS', stream)
  if groups.err or #groups == 0 then return true end
  redis.call('SET', stream .. ':read', '1', 'PX', ${lua.DAY_MS})
  return false
end

-- Drops what a stream without groups may not keep. What it keeps ends with its last publish.
local function bound(stream, length)
  if length == 0 then return 0 end
  -- Nothing is written without need: a script that has written is let past the server's memory limit.
  local oldest = split(redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1][1])
  if oldest < now - unreadAge then length = length - shorten(stream, 'MINID', text(now - unreadAge)) end
  if length >= unreadMax then length = length - shorten(stream, 'MAXLEN', unreadMax - 1) end
  local bytes = length > 0 and redis.call('MEMORY', 'USAGE', stream) or 0
  if bytes > unreadBytes then length = length - shorten(stream, 'MAXLEN', math.floor(length * unreadBytes / bytes / 2)) end
  return length
end

-- What stands against one more entry, if anything.
local function noRoom(stream, waiting)
  local length = lengths[stream]
  if not length then
    length = redis.pcall('XLEN', stream)
    if type(length) == 'table' then return '-' .. length.err end
    if length == 0 and redis.call('EXISTS', stream) == 0 then made[#made + 1] = stream end
    if isUnread(stream) then
      unread[#unread + 1] = stream
      nobody[stream] = true
      length = bound(stream, length)
    end
  end
  if length + waiting >= max and not trimmed[stream] then
    trimmed[stream] = true
    if redis.call('EXISTS', stream) == 1 then length = length - trim(stream) end
  end
  if length + waiting >= max then
    if not drop and not nobody[stream] then
      lengths[stream] = length
      return '!'
    end
    length = length - shorten(stream, 'MAXLEN', max - 1)
  end
  lengths[stream] = length
  return nil
end

local function add(stream, messages, ...)
  local refusal = noRoom(stream, 0)
  if refusal then return refusal end
  local id = append(tallyOf(stream, stream .. ':counts', ''), messages, messages, ...)
  if type(id) == 'table' then return '-' .. id.err end
  lengths[stream] = lengths[stream] + 1
  return id
end

local function addLater(stream, later, bodies, delay, fields)
  local refusal = noRoom(stream, redis.call('ZCARD', later))
  if refusal then return refusal end
  local number = redis.pcall('HINCRBY', bodies, 'n', 1)
  if type(number) == 'table' then return '-' .. number.err end
  local member = string.format('%016d', number)
  redis.call('HSET', bodies, member, cmsgpack.pack(fields))
  redis.call('ZADD', later, now + delay, member)
  return '@'
end

local function addWith(at)
  local stream, later, bodies = KEYS[tonumber(ARGV[at])], KEYS[tonumber(ARGV[at + 1])], KEYS[tonumber(ARGV[at + 2])]
  local dedup, frame = KEYS[tonumber(ARGV[at + 3])], ARGV[at + 4]
  local delay, ttl = tonumber(ARGV[at + 5]), tonumber(ARGV[at + 6])
  local before = dedup and redis.call('GET', dedup)
  if before then return '=' .. before end
  local fields = { 'f', frame }
  if ttl > 0 then fields = { 'f', frame, 'x', text(now + ttl) } end
  local id
  if delay > 0 then id = addLater(stream, later, bodies, delay, fields) else id = add(stream, 1, unpack(fields)) end
  local first = string.sub(id, 1, 1)
  if dedup and first ~= '-' and first ~= '!' then redis.call('SET', dedup, id, 'PX', window) end
  return id
end

local replies, at = { dropped, made, unread }, 9
while at <= #ARGV do
  local kind = ARGV[at]
  if kind == 'p' then
    replies[#replies + 1] = add(KEYS[tonumber(ARGV[at + 1])], 1, 'f', ARGV[at + 2])
    at = at + 3
  elseif kind == 'b' then
    replies[#replies + 1] = add(KEYS[tonumber(ARGV[at + 1])], tonumber(ARGV[at + 3]), 'f', ARGV[at + 2])
    at = at + 4
  else
    replies[#replies + 1] = addWith(at + 1)
    at = at + 8
  end
end
for _, tally in pairs(tallies) do
  keep(tally)
  if tally.cut then redis.call('HSET', tally.hash, 'cut', text(tally.cut)) end
end
for _, stream in ipairs(unread) do
  expireUnread(stream, stream .. ':later', stream .. ':later-bodies', unreadAge)
end
redis.pcall('SET', KEYS[1], cmsgpack.pack({ ARGV[1], replies }), 'PX', ARGV[2])
return replies
`;

/**
 * Moves delayed publishes that are due into their stream.
 *
 * KEYS: later, its bodies, stream. ARGV: ms that a stream without groups is kept.
 * Answers: now; when the next is due, or nothing; messages dropped for their time to live; what the server has evicted.
 */
export const promoteScript =
  lua.opening +
  lua.appendFunction +
  lua.promoteFunction +
  lua.expireUnreadFunction +
  `
local later, bodies, stream = KEYS[1], KEYS[2], KEYS[3]
local due, expired = promote(later, bodies, storeOf(stream))
if redis.call('EXISTS', stream .. ':read') == 0 then
  local groups = redis.pcall('XINFO', 'GROUPS', stream)
  if groups.err or #groups == 0 then expireUnread(stream, later, bodies, tonumber(ARGV[1])) end
end
return { text(now), due and text(due) or '', expired, vanished }
`;

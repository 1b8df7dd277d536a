/**
 * Carries out the lock operations of one turn, in order, and answers `[server time in ms, reply, reply …]`.
 *
 * ARGV: inbox channel, ms until a waiter that is not heard of loses its place, most ms of a hand-over, whether the count
 * of PUBLISH covers all subscribers (no: cluster), ms for which a fencing counter is kept; then one for each operation,
 * `kind keys token permits ttl floor succeeds`, its fields between single spaces. Kinds: A acquire and wait, T try to
 * acquire, E extend, R release. `permits` is -1 for an exclusive claim and 0 for any number of shared ones; `floor` is the
 * least fencing token; `succeeds` may be empty. KEYS: three for each key of each operation.
 *
 * lock: a string, the exclusive holder's token, or with a ~ before it the token of a claim to several keys that keeps
 * this one while it waits for the next; or a sorted set of shared holders' tokens by the end of their time.
 * fence: the last fencing token. Granted is max(last + 1, server time in µs), so it rises even when this key is lost.
 * queue: a hash; t = tickets given out, h = next ticket to serve, q<ticket> = token, w<token> = what it waits for.
 *
 * Replies: `g<fencing token>` granted, `b<ms>` busy, both in capitals if `succeeds` gave the lock up; 1 or 0 for E and R.
 */
export const lockScript = `
local pattern = '^(%a) (%d+) (%x+) (%-?%d+) (%d+) (%d+) (%x*)$'

-- A lone operation on a lock that nobody waits for, in as few steps as can be.
if #ARGV == 6 and #KEYS == 3 then
  local kind, _, token, permits, ttl, floor = string.match(ARGV[6], pattern)
  if permits == '-1' and kind ~= 'E' and redis.call('EXISTS', KEYS[3]) == 0 then
    if kind == 'R' then
      if redis.pcall('GET', KEYS[1]) == token then return { '0', redis.call('DEL', KEYS[1]) } end
    elseif redis.call('SET', KEYS[1], token, 'NX', 'PX', ttl) then
      local time, last = redis.call('TIME'), tonumber(redis.call('GET', KEYS[2]) or 0)
      local granted = string.format('%.0f', math.max(last + 1, time[1] * 1000000 + time[2], tonumber(floor)))
      redis.call('SET', KEYS[2], granted, 'PX', ARGV[5])
      return { '0', 'g' .. granted }
    end
  end
end

local inbox, waiterTtl, handOff = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local exact, fenceTtl = ARGV[4] == '1', ARGV[5]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local micros = time[1] * 1000000 + time[2]

local function raise(fence, floor)
  local last = tonumber(redis.call('GET', fence) or 0)
  return math.max(last + 1, micros, floor)
end

local function text(number)
  return string.format('%.0f', number)
end

-- Whether the token holds the lock ('kept' if only for its other keys); and if not, whether a claim with these permits
-- may have it, or in how many ms.
local function look(lock, token, permits)
  local kind = redis.call('TYPE', lock).ok
  if kind == 'none' then return false, true end
  if kind == 'string' then
    local owner = redis.call('GET', lock)
    if owner == token then return true, false end
    if owner == '~' .. token then return 'kept', false end
    return false, false, redis.call('PTTL', lock)
  end
  if kind ~= 'zset' then return false, false, -1 end
  redis.call('ZREMRANGEBYSCORE', lock, '-inf', now)
  local count = redis.call('ZCARD', lock)
  if count == 0 then return false, true end
  if redis.call('ZSCORE', lock, token) then return true, false end
  if permits == 0 or permits > count then return false, true end
  local place = permits < 0 and -1 or 0
  return false, false, redis.call('ZRANGE', lock, place, place, 'WITHSCORES')[2] - now
end

local function take(lock, token, permits, ttl)
  if permits < 0 then
    redis.call('SET', lock, token, 'PX', ttl)
  else
    redis.call('ZADD', lock, now + ttl, token)
    redis.call('PEXPIRE', lock, math.max(ttl, redis.call('PTTL', lock)))
  end
end

local function keep(lock, token)
  redis.call('SET', lock, '~' .. token, 'PX', waiterTtl)
end

-- 1 if the token held the lock.
local function drop(lock, token, permits)
  if permits < 0 then
    local owner = redis.pcall('GET', lock)
    if owner == '~' .. token then redis.call('DEL', lock) end
    if owner ~= token then return 0 end
    return redis.call('DEL', lock)
  end
  local till = tonumber(redis.pcall('ZSCORE', lock, token)) or 0
  if till == 0 then return 0 end
  redis.call('ZREM', lock, token)
  return till > now and 1 or 0
end

local function withdraw(queue, token)
  local entry = redis.call('HGET', queue, 'w' .. token)
  if not entry then return false end
  redis.call('HDEL', queue, 'w' .. token, 'q' .. string.match(entry, '^%d+'))
  if redis.call('HLEN', queue) <= 2 then redis.call('DEL', queue) end
  return true
end

local function enqueue(queue, token, permits, ttl, keys)
  local entry = redis.call('HGET', queue, 'w' .. token)
  local ticket = entry and string.match(entry, '^%d+')
  if not ticket then
    ticket = text(redis.call('HINCRBY', queue, 't', 1))
    redis.call('HSETNX', queue, 'h', 1)
    redis.call('HSET', queue, 'q' .. ticket, token)
  end
  local fields = { ticket, text(now + waiterTtl), permits, ttl, keys, inbox }
  redis.call('HSET', queue, 'w' .. token, table.concat(fields, ' '))
  redis.call('PEXPIRE', queue, waiterTtl)
end

-- Hands the lock to its queue, in order, as far as it may be had. True when the turn came to self, who takes it himself.
local function serve(lock, fence, queue, self)
  local tail = tonumber(redis.call('HGET', queue, 't') or 0)
  local head = tonumber(redis.call('HGET', queue, 'h') or 1)
  local mine = false
  while head <= tail do
    local token = redis.call('HGET', queue, 'q' .. head)
    if token then
      local entry = redis.call('HGET', queue, 'w' .. token)
      local till, permits, ttl, keys, box = string.match(entry, '^%d+ (%d+) (%-?%d+) (%d+) (%d+) (.*)$')
      if tonumber(till) > now then
        permits, ttl = tonumber(permits), math.min(tonumber(ttl), handOff)
        local held, free = look(lock, token, permits)
        if not held and not free then break end
        if token == self then mine = true break end
        local granted = raise(fence, 0)
        local news = table.concat({ token, text(granted), ttl, text(now), keys }, ' ')
        if redis.call('PUBLISH', box, news) > 0 or not exact then
          if keys == '1' then
            take(lock, token, permits, ttl)
            redis.call('SET', fence, text(granted), 'PX', fenceTtl)
          else
            keep(lock, token)
          end
        end
      end
      withdraw(queue, token)
    end
    head = head + 1
  end
  if redis.call('EXISTS', queue) == 1 then redis.call('HSET', queue, 'h', head) end
  return mine
end

local function grant(first, keys, token, permits, ttl, floor, again)
  local granted, same = 0, again and permits < 0
  for i = first, first + keys * 3 - 1, 3 do
    local last = tonumber(redis.call('GET', KEYS[i + 1]) or 0)
    if granted ~= 0 and last ~= granted or last == 0 or last < floor then same = false end
    granted = math.max(granted, last)
  end
  if not same then granted = math.max(granted + 1, micros, floor) end
  for i = first, first + keys * 3 - 1, 3 do
    take(KEYS[i], token, permits, ttl)
    redis.call('SET', KEYS[i + 1], text(granted), 'PX', fenceTtl)
    if redis.call('EXISTS', KEYS[i + 2]) == 1 then
      withdraw(KEYS[i + 2], token)
      if permits >= 0 then serve(KEYS[i], KEYS[i + 1], KEYS[i + 2]) end
    end
  end
  return text(granted)
end

local function acquire(first, keys, token, permits, ttl, wait, succeeds, floor)
  local yes, no = 'g', 'b'
  if succeeds ~= '' then
    if drop(KEYS[first], succeeds, -1) == 1 then
      return 'G' .. grant(first, keys, token, permits, ttl, floor, false)
    end
  end
  if keys == 1 and permits < 0 and redis.call('EXISTS', KEYS[first + 2]) == 0 then
    -- The common case in as few calls as can be.
    if redis.call('SET', KEYS[first], token, 'NX', 'PX', ttl) then
      local granted = text(raise(KEYS[first + 1], floor))
      redis.call('SET', KEYS[first + 1], granted, 'PX', fenceTtl)
      return yes .. granted
    end
  end
  local again, blocked, left = true, nil, nil
  for i = first, first + keys * 3 - 1, 3 do
    local lock, fence, queue = KEYS[i], KEYS[i + 1], KEYS[i + 2]
    local held, free, ms = look(lock, token, permits)
    if held ~= true then again = false end
    if not held then
      local mine = false
      if redis.call('EXISTS', queue) == 1 then
        if wait then enqueue(queue, token, permits, ttl, keys) end
        mine = serve(lock, fence, queue, token)
        if not mine then
          held, free, ms = look(lock, token, permits)
          free = free and redis.call('EXISTS', queue) == 0
        end
      end
      if not mine and not free then
        blocked, left = i, ms
        break
      end
    end
  end
  if not blocked then return yes .. grant(first, keys, token, permits, ttl, floor, again) end
  -- The keys are sorted, for all claims alike: to keep those before the one that is not free cannot end in a deadlock.
  for i = first, first + keys * 3 - 1, 3 do
    if keys > 1 and i ~= blocked then
      local mine = look(KEYS[i], token, permits)
      withdraw(KEYS[i + 2], token)
      if wait and i < blocked then
        keep(KEYS[i], token)
      elseif mine then
        drop(KEYS[i], token, permits)
        serve(KEYS[i], KEYS[i + 1], KEYS[i + 2])
      end
    end
  end
  if wait then enqueue(KEYS[blocked + 2], token, permits, ttl, keys) end
  return no .. text(left or -1)
end

local function extend(first, keys, token, permits, ttl)
  for i = first, first + keys * 3 - 1, 3 do
    if look(KEYS[i], token, permits) ~= true then return 0 end
  end
  for i = first, first + keys * 3 - 1, 3 do
    take(KEYS[i], token, permits, ttl)
  end
  return 1
end

local function release(first, keys, token, permits)
  local held = 0
  for i = first, first + keys * 3 - 1, 3 do
    held = held + drop(KEYS[i], token, permits)
    if redis.call('EXISTS', KEYS[i + 2]) == 1 then
      withdraw(KEYS[i + 2], token)
      serve(KEYS[i], KEYS[i + 1], KEYS[i + 2])
    end
  end
  return held == keys and 1 or 0
end

local replies, first = { text(now) }, 1
for at = 6, #ARGV do
  local kind, keys, token, permits, ttl, floor, succeeds = string.match(ARGV[at], pattern)
  keys, permits, ttl = tonumber(keys), tonumber(permits), tonumber(ttl)
  if kind == 'R' then
    replies[at - 4] = release(first, keys, token, permits)
  elseif kind == 'E' then
    replies[at - 4] = extend(first, keys, token, permits, ttl)
  else
    replies[at - 4] = acquire(first, keys, token, permits, ttl, kind == 'A', succeeds, tonumber(floor))
  end
  first = first + keys * 3
end
return replies
`;

/**
 * Reads one lock without changing it: `[kind, holders, ms left, waiting, fencing token]`.
 * KEYS: lock, fence, queue.
 */
export const peekScript = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local kind, holders, left = redis.call('TYPE', KEYS[1]).ok, 0, 0
if kind == 'string' then
  holders, left = 1, redis.call('PTTL', KEYS[1])
elseif kind == 'zset' then
  holders = redis.call('ZCOUNT', KEYS[1], '(' .. now, '+inf')
  if holders > 0 then left = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')[2] - now end
end
local waiting, entries = 0, redis.call('HGETALL', KEYS[3])
for i = 2, #entries, 2 do
  local till = string.match(entries[i], '^%d+ (%d+) ')
  if till and tonumber(till) > now then waiting = waiting + 1 end
end
return { kind, holders, left, waiting, redis.call('GET', KEYS[2]) or '0' }
`;

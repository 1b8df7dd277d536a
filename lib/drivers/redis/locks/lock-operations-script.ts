import { FENCING_STEP } from './fencing-step.js';
import { forceFunction } from './lock-force-script.js';

/**
 * The part of the lock script that carries out operations of every kind: ends with `return` and a function of an operation
 * and the index of its first key, which returns the reply and the number of its keys. Uses `call`, `sub`, `byte`, `KEYS`
 * and `ARGV`, `fenceTtl`, `clock` and `now`.
 */
export const lockOperationsScript = `
local micros = tonumber(clock)
local waiterTtl, handOff, exact, inbox = string.match(ARGV[1], '^(%d+) (%d+) (%d) (.*)$')
waiterTtl, handOff, exact = tonumber(waiterTtl), tonumber(handOff), exact == '1'

local tokenPattern = '^' .. string.rep('%x', 32) .. '$'

local function text(number)
  return string.format('%.0f', number)
end

local function lastOf(fence)
  return tonumber(string.match(call('GET', fence) or '0', '%d+'))
end

-- The mark may outlive the queue, but never the other way round. A semaphore's permits stand before it, so that it is always there.
local function note(fence, granted, queue, permits)
  local waiting = call('EXISTS', queue) == 1
  local counted = (tonumber(permits) or 0) > 0 and ' ' .. permits or ''
  call('SET', fence, text(granted) .. counted .. ((waiting or counted ~= '') and '+' or ''), 'PX', fenceTtl)
  return waiting
end

-- Whether the token holds the lock ('kept' if only for its other keys); and if not, whether a claim with these permits
-- may have it, or in how many ms.
local function look(lock, token, permits)
  local kind = call('TYPE', lock).ok
  if kind == 'none' then return false, true end
  if kind == 'string' then
    local owner = call('GET', lock)
    if owner == token then return true, false end
    if owner == '~' .. token then return 'kept', false end
    return false, false, call('PTTL', lock)
  end
  -- Where locks have no prefix of their own, somebody else's data may have the name.
  if kind ~= 'zset' or not string.match(call('ZRANGE', lock, 0, 0)[1], tokenPattern) then return false, false, -1 end
  call('ZREMRANGEBYSCORE', lock, '-inf', now)
  local count = call('ZCARD', lock)
  if count == 0 then return false, true end
  if call('ZSCORE', lock, token) then return true, false end
  if permits == 0 or permits > count then return false, true end
  local place = permits < 0 and -1 or 0
  return false, false, call('ZRANGE', lock, place, place, 'WITHSCORES')[2] - now
end

local function take(lock, token, permits, ttl)
  if permits < 0 then
    call('SET', lock, token, 'PX', ttl)
  else
    call('ZADD', lock, now + ttl, token)
    call('PEXPIRE', lock, math.max(ttl, call('PTTL', lock)))
  end
end

local function keep(lock, token)
  call('SET', lock, '~' .. token, 'PX', waiterTtl)
end

-- 1 if the token held the lock.
local function drop(lock, token, permits)
  if permits < 0 then
    local owner = redis.pcall('GET', lock)
    if owner == '~' .. token then call('DEL', lock) end
    if owner ~= token then return 0 end
    return call('DEL', lock)
  end
  local till = tonumber(redis.pcall('ZSCORE', lock, token)) or 0
  if till == 0 then return 0 end
  call('ZREM', lock, token)
  return till > now and 1 or 0
end

local function withdraw(queue, token)
  local ticket = call('HGET', queue, 'w' .. token)
  if not ticket then return end
  call('HDEL', queue, 'w' .. token, 'q' .. ticket)
  if call('HLEN', queue) <= 2 then call('DEL', queue) end
end

local function enqueue(fence, queue, token, permits, ttl, keys)
  local ticket = call('HGET', queue, 'w' .. token)
  if not ticket then
    ticket = call('HINCRBY', queue, 't', 1)
    if ticket == 1 then call('HSET', queue, 'h', 1) end
  end
  local entry = { token, text(now + waiterTtl), permits, ttl, keys, inbox }
  call('HSET', queue, 'w' .. token, ticket, 'q' .. ticket, table.concat(entry, ' '))
  call('PEXPIRE', queue, waiterTtl)
  note(fence, lastOf(fence), queue, string.match(call('GET', fence) or '', ' (%d+)'))
end

-- Hands the lock to its queue, in order, as far as it may be had. True when the turn came to self, who takes it himself.
local function serve(lock, fence, queue, self)
  local tail = tonumber(call('HGET', queue, 't') or 0)
  local head = tonumber(call('HGET', queue, 'h') or 1)
  local mine = false
  while head <= tail do
    local entry = call('HGET', queue, 'q' .. head)
    if entry then
      local token, till, permits, ttl, keys, box = string.match(entry, '^(%x+) (%d+) (%-?%d+) (%d+) (%d+) (.*)$')
      if tonumber(till) > now then
        permits, ttl = tonumber(permits), math.min(tonumber(ttl), handOff)
        local held, free = look(lock, token, permits)
        if not held and not free then break end
        if token == self then mine = true break end
        local granted = math.max(lastOf(fence) + ${FENCING_STEP}, micros)
        local news = table.concat({ token, text(granted), ttl, text(now), keys }, ' ')
        local told = box ~= '-' and redis.pcall('PUBLISH', box, news)
        -- Whoever may not be told looks by himself, and finds the lock free, with nobody before him.
        if type(told) ~= 'number' then break end
        if told > 0 or not exact then
          if keys == '1' then
            take(lock, token, permits, ttl)
            note(fence, granted, queue, permits)
          else
            keep(lock, token)
          end
        end
      end
      withdraw(queue, token)
    end
    head = head + 1
  end
  if call('EXISTS', queue) == 1 then call('HSET', queue, 'h', head) end
  return mine
end

local function grant(first, keys, token, permits, ttl, floor, again)
  local granted, same = 0, again and permits < 0
  for i = first, first + keys * 3 - 1, 3 do
    local last = lastOf(KEYS[i + 1])
    if granted ~= 0 and last ~= granted or last == 0 or last < floor then same = false end
    granted = math.max(granted, last)
  end
  if not same then granted = math.max(granted + ${FENCING_STEP}, micros, floor) end
  for i = first, first + keys * 3 - 1, 3 do
    take(KEYS[i], token, permits, ttl)
    if note(KEYS[i + 1], granted, KEYS[i + 2], permits) then
      withdraw(KEYS[i + 2], token)
      if permits >= 0 then serve(KEYS[i], KEYS[i + 1], KEYS[i + 2]) end
    end
  end
  return text(granted)
end

local function acquire(first, keys, token, permits, ttl, wait, succeeds, floor)
  if succeeds ~= '' then
    if drop(KEYS[first], succeeds, -1) == 1 then
      return 'G' .. grant(first, keys, token, permits, ttl, floor, false)
    end
  end
  local again, blocked, left = true, nil, nil
  for i = first, first + keys * 3 - 1, 3 do
    local lock, fence, queue = KEYS[i], KEYS[i + 1], KEYS[i + 2]
    local held, free, ms = look(lock, token, permits)
    if held ~= true then again = false end
    if not held then
      local mine = false
      if call('EXISTS', queue) == 1 then
        if wait then enqueue(fence, queue, token, permits, ttl, keys) end
        mine = serve(lock, fence, queue, token)
        if not mine then
          held, free, ms = look(lock, token, permits)
          free = free and call('EXISTS', queue) == 0
        end
      end
      if not mine and not free then
        blocked, left = i, ms
        break
      end
    end
  end
  if not blocked then return grant(first, keys, token, permits, ttl, floor, again) end
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
  if wait then enqueue(KEYS[blocked + 1], KEYS[blocked + 2], token, permits, ttl, keys) end
  return 'b' .. text(left or -1)
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
    if call('EXISTS', KEYS[i + 2]) == 1 then
      withdraw(KEYS[i + 2], token)
      serve(KEYS[i], KEYS[i + 1], KEYS[i + 2])
    end
  end
  return held == keys and 1 or 0
end

${forceFunction}
return function(arg, first)
  local kind, token, succeeds, ttl = sub(arg, 1, 1), sub(arg, 2, 33), '', tonumber(sub(arg, 34))
  local keys, permits, floor = 1, -1, 0
  if kind == 's' then
    succeeds, ttl = sub(arg, 34, 65), tonumber(sub(arg, 66))
  elseif byte(kind) < 97 then
    kind, keys, token, permits, ttl, floor, succeeds =
      string.match(arg, '^(%a) (%d+) (%x+) (%-?%d+) (%d+) (%d+) (%x*)$')
    keys, permits, ttl, floor = tonumber(keys), tonumber(permits), tonumber(ttl), tonumber(floor)
  end
  kind = string.upper(kind)
  if kind == 'F' then return force(KEYS[first], KEYS[first + 1], KEYS[first + 2]), 1 end
  if kind == 'R' then return release(first, keys, token, permits), keys end
  if kind == 'E' then return extend(first, keys, token, permits, ttl), keys end
  return acquire(first, keys, token, permits, ttl, kind ~= 'T', succeeds, floor), keys
end
`;

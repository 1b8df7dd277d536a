import { FENCING_STEP } from './fencing-step.js';

/**
 * The part of the lock script for one exclusive key that others hold or wait for, in few commands: ends with `return` and
 * a function of an operation in its short form, its kind and its three keys, which returns the reply, or nothing if the
 * case is not that simple. Uses `call`, `sub`, `byte` and `ARGV`, `fenceTtl`, `clock` and `now`.
 */
export const lockQueueScript = `
local waiterTtl, handOff, exact, inbox = string.match(ARGV[1], '^(%d+) (%d+) (%d) (.*)$')

-- Joins the queue at its end, or keeps its place.
local function join(arg, lock, fence, queue)
  local token, values = sub(arg, 2, 33), call('MGET', lock, fence)
  local holder, last = values[1], values[2]
  if not holder or holder == token or byte(holder) == 126 then return nil end
  local ticket = call('HGET', queue, 'w' .. token)
  if not ticket then
    ticket = call('HINCRBY', queue, 't', 1)
    if ticket == 1 then call('HSET', queue, 'h', 1) end
  end
  local entry = string.format('%s %.0f -1 %s 1 %s', token, now + waiterTtl, sub(arg, 34), inbox)
  call('HSET', queue, 'w' .. token, ticket, 'q' .. ticket, entry)
  call('PEXPIRE', queue, waiterTtl)
  if not last or byte(last, -1) ~= 43 then call('SET', fence, (last or '0') .. '+', 'PX', fenceTtl) end
  return 'b' .. call('PTTL', lock)
end

-- Hands the lock to the first of the queue, if that one is there and wants nothing but this.
local function handOver(arg, lock, fence, queue)
  local values = call('MGET', lock, fence)
  local last = values[2]
  if values[1] ~= sub(arg, 2) or not last then return nil end
  local ends = call('HMGET', queue, 'h', 't')
  local head = ends[1]
  local entry = head and call('HGET', queue, 'q' .. head)
  if not entry then return nil end
  local token, till, ttl, box = string.match(entry, '^(%x+) (%d+) %-1 (%d+) 1 (.*)$')
  if not token or tonumber(till) <= now then return nil end
  if tonumber(ttl) > tonumber(handOff) then ttl = handOff end
  local granted = string.format('%.0f', math.max(sub(last, 1, -2) + ${FENCING_STEP}, tonumber(clock)))
  local news = string.format('%s %s %s %.0f 1', token, granted, ttl, now)
  local told = box ~= '-' and redis.pcall('PUBLISH', box, news)
  if type(told) ~= 'number' or told == 0 and exact == '1' then return nil end
  call('SET', lock, token, 'PX', ttl)
  if head == ends[2] then
    call('DEL', queue)
  else
    call('HDEL', queue, 'q' .. head, 'w' .. token)
    call('HINCRBY', queue, 'h', 1)
    granted = granted .. '+'
  end
  call('SET', fence, granted, 'PX', fenceTtl)
  return 1
end

return function(arg, kind, lock, fence, queue)
  if kind == 97 then return join(arg, lock, fence, queue) end
  return handOver(arg, lock, fence, queue)
end
`;

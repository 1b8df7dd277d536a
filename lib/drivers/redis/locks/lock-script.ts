import { FENCING_STEP } from './fencing-step.js';
import { lockOperationsScript } from './lock-operations-script.js';
import { lockQueueScript } from './lock-queue-script.js';

/**
 * Carries out the lock operations of one turn, in order, and answers `<server time in ms, or 0> <reply> <reply> …`.
 *
 * ARGV: `waiterTtl handOff exact inbox`: ms until a waiter that is not heard of loses its place, most ms of a hand-over,
 * whether the count of PUBLISH covers all subscribers (not on a cluster: 0), the inbox channel, or - for who may not listen; then ms for which a fencing
 * counter is kept, no less than waiterTtl; then one for each operation. KEYS: three for each key of each operation.
 *
 * An operation is `kind keys token permits ttl floor succeeds` with single spaces between. Kinds: A acquire and wait, T try
 * to acquire, E extend, R release, F
 * take it from all who hold it. `permits` is -1 for an exclusive claim and 0 for any number of shared ones; `floor` is
 * the least fencing token; `succeeds` may be empty. For one exclusive key, without the last two, there is a short form
 * that is quick in the common cases: `a<token><ttl>`, `t<token><ttl>`, `r<token>`, and `s<token><succeeds><ttl>`, an A
 * that succeeds.
 *
 * lock: a string, the exclusive holder's token, or with a ~ before it the token of a claim to several keys that keeps
 * this one while it waits for the next; or a sorted set of shared holders' tokens by the end of their time.
 * fence: the last fencing token, with a + after it if there may be a queue; of a semaphore `<token> <permits>+`. Granted is max(last + step, server time in µs),
 * so it rises even when this key is lost, and the numbers between are the holder's.
 * queue: a hash; t = tickets given out, h = next ticket to serve, w<token> = its ticket, q<ticket> = what it waits for:
 * `token till permits ttl keys inbox`.
 *
 * Replies: `<fencing token>` granted, `G<fencing token>` if `succeeds` gave the lock up for it, `b<ms>` busy; 1 or 0 for E
 * and R; the tokens that lost it with commas between, or -, for F. The server time is told only if one of the operations looked at the clock.
 */
export const lockScript = `
local call, sub, byte = redis.call, string.sub, string.byte
-- The server's clock: in µs as a text, as to make one of a number takes longer than a command; and in ms.
local fenceTtl, clock, now = ARGV[2], nil, 0
local replies, first, inLine, carryOut = { 0 }, 1, nil, nil
for at = 3, #ARGV do
  local arg, reply, keys = ARGV[at], nil, 1
  local kind = byte(arg)
  if kind >= 97 then
    local lock, fence, token, ttlAt = KEYS[first], KEYS[first + 1], sub(arg, 2, 33), 34
    local free = true
    if kind == 114 or kind == 115 then
      local holder = token
      if kind == 115 then holder, ttlAt = sub(arg, 34, 65), 66 end
      local values = call('MGET', lock, fence)
      free = values[1] == holder and not (values[2] and byte(values[2], -1) == 43) and call('DEL', lock)
    end
    if kind == 114 then
      reply = free
    elseif free and call('SET', lock, token, 'NX', 'PX', sub(arg, ttlAt)) then
      if not clock then
        local time = call('TIME')
        clock = time[1] .. (#time[2] < 6 and string.rep('0', 6 - #time[2]) or '') .. time[2]
      end
      local last = call('SET', fence, clock, 'PX', fenceTtl, 'GET')
      if last and byte(last, -1) == 43 then
        call('DEL', lock)
        call('SET', fence, last, 'PX', fenceTtl)
      elseif not last or last + ${FENCING_STEP} <= tonumber(clock) then
        reply = clock
      else
        reply = string.format('%.0f', math.max(last + ${FENCING_STEP}, tonumber(clock)))
        call('SET', fence, reply, 'PX', fenceTtl)
      end
      if reply and kind == 115 then reply = 'G' .. reply end
    end
  end
  if not reply then
    if not clock then
      local time = call('TIME')
      clock = time[1] .. (#time[2] < 6 and string.rep('0', 6 - #time[2]) or '') .. time[2]
    end
    now = math.floor(clock / 1000)
    if kind == 97 or kind == 114 then
      inLine = inLine or (function()
${lockQueueScript}
      end)()
      reply = inLine(arg, kind, KEYS[first], KEYS[first + 1], KEYS[first + 2])
    end
    if not reply then
      carryOut = carryOut or (function()
${lockOperationsScript}
      end)()
      reply, keys = carryOut(arg, first)
    end
  end
  replies[at - 1] = reply
  first = first + keys * 3
end
replies[1] = now
return table.concat(replies, ' ')
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
  local till = string.match(entries[i], '^%x+ (%d+) ')
  if till and tonumber(till) > now then waiting = waiting + 1 end
end
return { kind, holders, left, waiting, string.match(redis.call('GET', KEYS[2]) or '0', '%d+') }
`;

/**
 * Reads one lock and who holds it without changing it: `[kind, now, waiting, fence, token, until, token, until …]`, all times
 * in ms. KEYS: lock, fence, queue.
 */
export const inspectLockScript = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local kind, waiting = redis.call('TYPE', KEYS[1]).ok, 0
local entries = redis.call('HGETALL', KEYS[3])
for i = 2, #entries, 2 do
  local till = string.match(entries[i], '^%x+ (%d+) ')
  if till and tonumber(till) > now then waiting = waiting + 1 end
end
local state = { kind, now, waiting, redis.call('GET', KEYS[2]) or '0' }
if kind == 'string' then
  local left = redis.call('PTTL', KEYS[1])
  if left >= 0 then
    state[5] = redis.call('GET', KEYS[1])
    state[6] = now + left
  end
elseif kind == 'zset' then
  local members = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
  for i = 1, #members, 2 do
    if tonumber(members[i + 1]) > now then
      state[#state + 1] = members[i]
      state[#state + 1] = tonumber(members[i + 1])
    end
  end
end
return state
`;

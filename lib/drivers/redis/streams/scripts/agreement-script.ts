import { nowFunction } from './shared-lua.js';

const agree = `
local uses, stream = KEYS[1], KEYS[2]
local use, by, hold = ARGV[1], ARGV[2], tonumber(ARGV[3])
local function kindOf(member) return string.sub(member, 1, 1) end

-- Those that agree are all of one kind, so the first one tells.
local present = redis.call('ZRANGEBYSCORE', uses, now, '+inf', 'LIMIT', 0, 5)
if present[1] and kindOf(present[1]) ~= use then return present end
if use ~= 'L' then
  local groups = redis.pcall('XINFO', 'GROUPS', stream)
  if not groups.err then
    local names = {}
    for index, flat in ipairs(groups) do
      if index <= 5 then names[index] = 'L the group ' .. flat[2] end
    end
    if #names > 0 then return names end
    local stored = redis.call('XLEN', stream)
    if stored > 0 then return { 'L ' .. stored .. ' stored messages' } end
  end
end
if hold > 0 then
  -- A server that is full keeps nothing more, and is asked again.
  redis.pcall('ZADD', uses, now + hold, use .. ' ' .. by)
  redis.pcall('PEXPIRE', uses, hold)
  redis.pcall('ZREMRANGEBYSCORE', uses, '-inf', '(' .. text(now))
end
return {}
`;

/**
 * Notes that somebody uses a topic, unless others use it otherwise.
 *
 * KEYS: uses of the topic, its stream. ARGV: `L` at least once, `M` at most once or `B` that by the bare name; by whom; for how
 * many ms, 0 for only looking. Reply: some of those who use it otherwise, each behind its letter.
 */
export const agreementScript = nowFunction + agree;

import { floorFunctions, nowFunction } from './shared-lua.js';

const abandoned = `
local stream, patience, found = KEYS[1], tonumber(ARGV[1]), {}
local groups = redis.pcall('XINFO', 'GROUPS', stream)
if groups.err then return found end
for _, flat in ipairs(groups) do
  local info = fieldsOf(flat)
  local alive = redis.call('ZCOUNT', stream .. ':members:' .. info.name, now, '+inf')
  local last = tonumber(redis.call('HGET', stream .. ':state:' .. info.name, 'at') or 0)
  if alive == 0 and now - last >= patience then
    local lag = tonumber(info.lag) or redis.call('XLEN', stream)
    found[#found + 1] = { info.name, tonumber(info.pending) + lag, text(last) }
  end
end
return found
`;

/**
 * The groups of a topic that nobody reads. KEYS: stream. ARGV: ms without a member that count. Reply for each: its name, how many
 * entries it has not handled, when it was last read, in ms since the epoch, 0 where that is not known.
 */
export const abandonedScript = floorFunctions + nowFunction + abandoned;

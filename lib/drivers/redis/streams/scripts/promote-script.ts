import {
  appendFunction,
  expireUnreadFunction,
  floorFunctions,
  nowFunction,
  pastLimit,
  promoteFunction,
} from './shared-lua.js';

const promote = `
local later, bodies, stream = KEYS[1], KEYS[2], KEYS[3]
local due = promote(later, bodies, storeOf(stream))
if redis.call('EXISTS', stream .. ':read') == 0 then
  local groups = redis.pcall('XINFO', 'GROUPS', stream)
  if groups.err or #groups == 0 then expireUnread(stream, later, bodies, tonumber(ARGV[1])) end
end
return { text(now), due and text(due) or '' }
`;

/**
 * Moves delayed publishes that are due into their stream. KEYS: later, its bodies, stream. ARGV: ms that a stream without groups is kept.
 * Reply: now, when the next is due or nothing.
 */
export const promoteScript =
  pastLimit +
  floorFunctions +
  nowFunction +
  appendFunction +
  promoteFunction +
  expireUnreadFunction +
  promote;

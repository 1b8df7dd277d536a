import { floorFunctions, nowFunction, pastLimit } from './shared-lua.js';

const remove = `
local stream, members, mark, later, laterBodies = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local group, keptFor = ARGV[1], ARGV[2]
if redis.call('ZCOUNT', members, now, '+inf') > 0 then return { -1, 0 } end
local there = 0
if redis.call('EXISTS', stream) == 1 then
  -- What every group has handled goes first: without a group nobody could tell.
  trim(stream)
  there = redis.call('XGROUP', 'DESTROY', stream, group)
end
for i = 6, #KEYS do there = math.max(there, redis.call('DEL', KEYS[i])) end
redis.call('DEL', members)
if redis.call('EXISTS', stream) == 0 then return { there, 0 } end
if #redis.call('XINFO', 'GROUPS', stream) > 0 then
  trim(stream)
  return { there, 0 }
end
redis.call('DEL', mark)
if redis.call('XLEN', stream) == 0 and redis.call('EXISTS', later) == 0 then
  redis.call('DEL', stream, laterBodies, stream .. ':counts')
  return { there, 1 }
end
redis.call('PEXPIRE', stream, keptFor)
redis.call('PEXPIRE', stream .. ':counts', keptFor)
return { there, 0 }
`;

/**
 * Removes a group without members. KEYS: stream, members, the mark that a group has read the stream, later, later's bodies; then
 * all other keys of the group. ARGV: group, ms that a stream without groups is kept. Reply: 1 if it was there, 0 if not, -1 if it
 * has members; 1 if the stream went as well.
 */
export const removeGroupScript = pastLimit + floorFunctions + nowFunction + remove;

import { pastLimit } from './shared-lua.js';

/** Whether the topic has the group, or dead letters of it. KEYS: stream, dead letters. ARGV: group. */
export const groupExistsScript = `
if redis.call('EXISTS', KEYS[2]) == 1 then return 1 end
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
for _, info in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  for i = 1, #info, 2 do
    if info[i] == 'name' and info[i + 1] == ARGV[1] then return 1 end
  end
end
return 0
`;

/** Hands one dead letter back to its group as a first attempt. KEYS: dead letters, retry stream. ARGV: position. Reply: 1 if it was there. */
export const replayScript = `${pastLimit}
local found = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])[1]
if not found then return 0 end
local letter = {}
for i = 1, #found[2], 2 do letter[found[2][i]] = found[2][i + 1] end
redis.call('XADD', KEYS[2], '*', 'f', letter.f or '', 'a', 0, 'c', 0, 'n', 0, 'o', letter.o or ARGV[1], 'x', '',
  'r', (tonumber(letter.r) or 0) + 1, 's', letter.s or '')
redis.call('XDEL', KEYS[1], ARGV[1])
return 1
`;

/** Deletes all dead letters and answers how many there were. KEYS: dead letters. */
export const purgeScript = `
local count = redis.call('XLEN', KEYS[1])
redis.call('DEL', KEYS[1])
return count
`;

import {
  appendFunction,
  comeBackFunction,
  floorFunctions,
  nowFunction,
  pastLimit,
  unburiedFunction,
} from './shared-lua.js';

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

const letters = `
local dead, retry, state, parts = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
`;

const replay = `
local found = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])[1]
if not found then return 0 end
local letter = fieldsOf(found[2])
if ARGV[2] and (tonumber(letter.m) or 1) > 1 then return -1 end
comeBack(tonumber(letter.m) or 1, letter.s or '', 'f', ARGV[2] or letter.f or '', 'a', 0, 'c', 0, 'n', 0, 'o', letter.o or ARGV[1], 'x', '',
  'r', (tonumber(letter.r) or 0) + 1, 's', letter.s or '')
unburied(letter)
redis.call('XDEL', KEYS[1], ARGV[1])
return 1
`;

const functions = pastLimit + floorFunctions + nowFunction + letters + appendFunction;

/**
 * Hands one dead letter back to its group as a first attempt. KEYS: dead letters, retry stream, state, settled parts. ARGV:
 * position, and maybe the bytes of one message in place of its own. Reply: 1 if it was there, -1 if it holds several messages and
 * was not to come back as it is.
 */
export const replayScript = functions + comeBackFunction + unburiedFunction + replay;

/** Deletes one dead letter. KEYS: as for a replay. ARGV: position. Reply: 1 if it was there. */
export const removeLetterScript =
  functions +
  unburiedFunction +
  `
local found = redis.call('XRANGE', dead, ARGV[1], ARGV[1])[1]
if not found then return 0 end
unburied(fieldsOf(found[2]))
return redis.call('XDEL', dead, ARGV[1])
`;

/** Deletes all dead letters and answers how many there were. KEYS: dead letters, state. */
export const purgeScript = `
local count = redis.call('XLEN', KEYS[1])
redis.call('DEL', KEYS[1])
for _, name in ipairs(redis.call('HKEYS', KEYS[2])) do
  if string.sub(name, 1, 5) == 'dead:' or name == 'deadm' then redis.call('HDEL', KEYS[2], name) end
end
return count
`;

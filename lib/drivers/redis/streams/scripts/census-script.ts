/** How many members of a group count as alive now. KEYS: members. */
export const censusScript = `
local time = redis.call('TIME')
return redis.call('ZCOUNT', KEYS[1], time[1] * 1000 + math.floor(time[2] / 1000), '+inf')
`;

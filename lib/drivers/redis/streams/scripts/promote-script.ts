import { floorFunctions, nowFunction, pastLimit, promoteFunction } from './shared-lua.js';

const promote = `
local due = promote(KEYS[1], KEYS[2], KEYS[3])
return { text(now), due and text(due) or '' }
`;

/** Moves delayed publishes that are due into their stream. KEYS: later, its bodies, stream. Reply: now, when the next is due or nothing. */
export const promoteScript = pastLimit + floorFunctions + nowFunction + promoteFunction + promote;

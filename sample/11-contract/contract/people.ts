import { defineRequest, defineTopic } from 'nestjs-disco-bus/contract';
import { z } from 'zod';

// What both services share, as a package of its own would: it loads no driver and nothing of Nest.

/** Version 1: a name as one string. */
export const PersonNamed = defineTopic('people.named', {
  schema: z.object({ id: z.string(), name: z.string().min(1) }),
  delivery: 'at-least-once',
});

/** Version 2: given and family name. Who knows version 2 understands version 1 as well. */
export const PersonNamed2 = PersonNamed.version(2, {
  schema: z.object({ id: z.string(), given: z.string().min(1), family: z.string() }),
  upgrade: ({ id, name }) => {
    const [given, ...family] = name.split(' ');
    return { id, given, family: family.join(' ') };
  },
});

export const FindPerson = defineRequest('people.find', {
  schema: z.object({ id: z.string() }),
  reply: z.object({ greeting: z.string() }),
});

/** What the service knows that is a version behind. */
export const peopleBefore = { PersonNamed, FindPerson };

/** What the newer service knows. */
export const people = { PersonNamed: PersonNamed2, FindPerson };

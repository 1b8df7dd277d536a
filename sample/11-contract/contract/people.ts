import { defineRequest, defineTopic } from 'nestjs-disco-bus/contract';
import { z } from 'zod';

// What both services share, as a package of its own would: it loads no driver and nothing of Nest.

const id = z.string().meta({ description: 'Whom it is about', examples: ['p1'] });

/** Version 1: a name as one string. */
export const PersonNamed = defineTopic('people.named', {
  description: 'A person has got a name, or another one',
  schema: z.object({
    id,
    name: z
      .string()
      .min(1)
      .meta({ examples: ['Ada Lovelace'] }),
  }),
  delivery: 'at-least-once',
});

/** Version 2: given and family name. Who knows version 2 understands version 1 as well. */
export const PersonNamed2 = PersonNamed.version(2, {
  description: 'A person has got a name in two parts, or another one',
  schema: z.object({
    id,
    given: z
      .string()
      .min(1)
      .meta({ examples: ['Ada'] }),
    family: z.string().meta({ examples: ['Lovelace'] }),
  }),
  upgrade: ({ id, name }) => {
    const [given, ...family] = name.split(' ');
    return { id, given, family: family.join(' ') };
  },
});

export const FindPerson = defineRequest('people.find', {
  description: 'How a person is greeted',
  schema: z.object({ id }),
  reply: z.object({ greeting: z.string().meta({ examples: ['Dear Ada'] }) }),
});

/** What the service knows that is a version behind. */
export const peopleBefore = { PersonNamed, FindPerson };

/** What the newer service knows. */
export const people = { PersonNamed: PersonNamed2, FindPerson };

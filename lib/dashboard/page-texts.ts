export const pageTexts: Readonly<Record<string, string>> = {
  'index.html': '<!doctype html><title>Disco</title>',
};

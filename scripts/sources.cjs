// The files of the source folders, for checks that run where there is no git.
'use strict';
const { readdirSync } = require('node:fs');
const path = require('node:path');
const { root } = require('./machine.cjs');

// Every file below a folder of the package, by its path there, but what others have put into it.
function filesBelow(folder) {
  return readdirSync(path.join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(path.join(root, folder), path.join(entry.parentPath ?? entry.path, entry.name)))
    .map((name) => name.split(path.sep).join('/'))
    .filter((name) => !/(^|\/)(node_modules|\.[^/]*)\//.test(name))
    .map((name) => `${folder}/${name}`);
}

module.exports = { filesBelow };

/** Something the user can put right: said in one line, without a stack. */
export class UserError extends Error {}

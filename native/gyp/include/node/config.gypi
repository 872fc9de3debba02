{
  'target_defaults': {
    'cflags': [], 'default_configuration': 'Release', 'defines': [], 'include_dirs': [], 'libraries': []
  },
  'variables': {}
}

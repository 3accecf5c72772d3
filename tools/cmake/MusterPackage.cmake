# What `cpack -G DEB` puts into the package for Debian 12 (deploy/package).
install(TARGETS musterd musterctl RUNTIME DESTINATION /usr/bin)
install(FILES conf/application.yml DESTINATION /etc/muster)
install(FILES deploy/systemd/muster.service
  DESTINATION /usr/lib/systemd/system)
install(FILES deploy/systemd/muster.sysusers
  DESTINATION /usr/lib/sysusers.d RENAME muster.conf)
install(FILES README.md LICENSE deploy/docs/three-machines.md
  DESTINATION /usr/share/doc/muster)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME muster)
set(CPACK_PACKAGE_CONTACT "Muster")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY
  "service registry and configuration centre for Nacos clients")
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS systemd)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
  "${CMAKE_SOURCE_DIR}/deploy/debian/postinst"
  "${CMAKE_SOURCE_DIR}/deploy/debian/prerm"
  "${CMAKE_SOURCE_DIR}/deploy/debian/conffiles")
include(CPack)

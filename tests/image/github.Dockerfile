# The GitHub stand-in of examples/github, as a pod of the end-to-end tests.
FROM scratch
COPY --from=build /image/github /github
USER 65532:65532
ENTRYPOINT ["/github", "--address", "0.0.0.0:8080"]
